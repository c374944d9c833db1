import { parseImageName } from '../images/reference.ts';
import { checkArguments, checkLineBreaks } from './mistakes.ts';
import { invalid, keywords, type Step } from './step.ts';
import {
  DockerfileParser,
  type Flag,
  type From,
  type Instruction,
  type ModifiableInstruction,
  type Run,
} from 'dockerfile-ast';

export interface ParsedDockerfile {
  steps: Step[];
  /**
   * Images that its stages start from or copy from, without scratch and its own stages; variables that have defaults
   * are filled in.
   */
  images: string[];
  /** Secrets that its steps mount, with the first line of each. */
  secrets: ReadonlyMap<string, number>;
  /** What is allowed, and most often a mistake. */
  warnings: string[];
}

const stepsMax = 500;
const stagesMax = 50;
const imagesMax = 16;

const flagsOf = (instruction: Instruction): Step['flags'] => {
  const flags = 'getFlags' in instruction ? (instruction as ModifiableInstruction).getFlags() : [];
  return flags.map((it: Flag) => ({ name: it.getName(), value: it.getValue() ?? '' }));
};

/**
 * Joins an instruction's lines: a trailing escape continues the line, and lines that start with # in between are
 * comments.
 */
function joinLines(source: string[], [first, last]: [number, number], escape: string): string {
  const lines = source.slice(first - 1, last).filter((it, index) => index === 0 || !/^\s*#/.test(it));
  const joined = lines.map((it) => {
    const end = it.trimEnd();
    return end.endsWith(escape) ? `${end.slice(0, -1)} ` : it;
  });
  return joined.join('').trim();
}

// Local transports would let a build read the host's files and other builds' images.
const imageName = /^(?:docker:\/\/)?[A-Za-z0-9][A-Za-z0-9.:_/-]*(?:@sha256:[0-9a-f]{64})?$/;
const localTransport = /^(?:oci|oci-archive|dir|docker-archive|docker-daemon|containers-storage|sif|ostree|tarball):/;

function checkImage(image: string, line: number): void {
  if (localTransport.test(image) || !imageName.test(image))
    throw invalid(line, `${JSON.stringify(image)} is not an image in a registry`);
  try {
    parseImageName(image);
  } catch {
    throw invalid(line, `${JSON.stringify(image)} is not the name of an image: host/namespace/name:tag`);
  }
}

const mountOptions = {
  cache: ['type', 'target', 'dst', 'destination', 'id', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['type', 'target', 'dst', 'destination', 'size', 'mode'],
  secret: ['type', 'target', 'dst', 'destination', 'id', 'required', 'mode', 'uid', 'gid'],
} as const;

// Binds would need a context that Kiln does not give; ssh, an agent.
function checkRunFlag({ name, value }: Step['flags'][number], line: number): { secret?: string } {
  if (name === 'mount') {
    const options = Object.fromEntries(value.split(',').map((it) => it.split('=', 2) as [string, string]));
    // Variables and quotes are resolved by the engine, after this check.
    if (/[$"'\\]/.test(value)) throw invalid(line, 'RUN --mount may have no variables or quotes');
    const keys = value.split(',').map((it) => it.split('=')[0]);
    if (new Set(keys).size < keys.length) throw invalid(line, 'RUN --mount must not repeat an option');
    const { type = 'bind', id } = options;
    if (type !== 'cache' && type !== 'tmpfs' && type !== 'secret')
      throw invalid(line, 'RUN --mount may be of type cache, tmpfs or secret only');
    const unknown = keys.find((it) => !(mountOptions[type] as readonly (string | undefined)[]).includes(it));
    if (unknown !== undefined) throw invalid(line, `RUN --mount option ${unknown} is not allowed`);
    if (id !== undefined && !/^[A-Za-z0-9._-]{1,64}$/.test(id))
      throw invalid(line, 'RUN --mount id must be 1 to 64 letters, digits, dots, hyphens or underscores');
    if (type !== 'secret') return {};
    if (id === undefined)
      throw invalid(line, 'RUN --mount=type=secret needs an id: the name of a secret of the account');
    return { secret: id };
  }
  throw invalid(line, `RUN --${name} is not allowed`);
}

const secretName = /(?:^|_)(?:PASS(?:WORD|WD)?|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:_|$)/i;
// Forms that well-known services give to their keys.
const secretValue =
  /\b(?:AKIA[0-9A-Z]{16}|LTAI[0-9A-Za-z]{12,}|gh[pousr]_[0-9A-Za-z]{36}|glpat-[\w-]{20}|xox[abps]-[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY/;

/** Warns of what would stay in the image for everyone to read. */
function secretLike({ keyword, text, lines: [line] }: Step): string[] {
  const found = [...text.matchAll(/([A-Za-z_]\w*)(?:=("[^"]*"|'[^']*'|\S*))?/g)].find(
    ([, name = '', value = '']) =>
      (secretName.test(name) && value.replace(/["']/g, '') !== '') || secretValue.test(value),
  );
  if (!found) return [];
  return [
    `line ${line}: ${keyword} ${found[1]} looks like a secret; it stays in the image's history: use RUN --mount=type=secret,id=NAME`,
  ];
}

// BuildKit's usual frontend means what the engine does anyway; any other one would not be run, which changes what is
// built.
const frontend = /^#\s*syntax\s*=\s*(\S+)/i;
const usualFrontend = /^(?:docker\.io\/)?docker\/dockerfile:1(?:[.-][\w.-]*)?$/;

/**
 * Parses a Dockerfile and refuses what cannot be built here, before anything is stored.
 * @param hasContext whether there are files to copy from
 * @throws Fault DockerfileInvalid that names the line
 */
export function parseDockerfile(text: string, { hasContext = false } = {}): ParsedDockerfile {
  // Parsers differ in these two; what is checked here must be what is built.
  if (/\r(?!\n)/.test(text)) throw invalid(1, 'has a carriage return that ends no line');
  const [, syntax] = frontend.exec(text.trimStart()) ?? [];
  if (syntax !== undefined && !usualFrontend.test(syntax))
    throw invalid(
      1,
      `the frontend ${syntax} is not supported; leave the syntax directive out, or use docker/dockerfile:1`,
    );
  if (/^\s*#\s*escape\s*=/im.test(text)) throw invalid(1, 'the escape directive is not supported');
  checkLineBreaks(text);
  const dockerfile = DockerfileParser.parse(text);
  const source = text.split(/\r?\n/);
  const stages = new Set<string>();
  const images: string[] = [];
  const steps: Step[] = [];
  const secrets = new Map<string, number>();
  const warnings: string[] = [];
  let stage = 0;
  let index = 0;

  for (const instruction of dockerfile.getInstructions()) {
    const keyword = instruction.getKeyword();
    const range = instruction.getRange();
    const lines: [number, number] = [range.start.line + 1, range.end.line + 1];
    const [line] = lines;
    if (!keywords.has(keyword)) throw invalid(line, `unknown instruction ${instruction.getInstruction()}`);
    if (!instruction.getArgumentsContent()?.trim()) throw invalid(line, `${keyword} needs an argument`);
    if (keyword === 'FROM') {
      stage += 1;
      index = 0;
    } else if (stage === 0 && keyword !== 'ARG') throw invalid(line, `${keyword} must come after FROM`);
    // Before the variables are looked up, which takes the longer the more there are.
    if (steps.length >= stepsMax) throw invalid(line, `more than ${stepsMax} instructions`);
    if (stage > stagesMax) throw invalid(line, `more than ${stagesMax} stages`);
    index += stage === 0 ? 0 : 1;
    const flags = flagsOf(instruction);
    const own = instruction.getInstruction().length;
    const step: Step = {
      keyword,
      flags,
      text: joinLines(source, lines, dockerfile.getEscapeCharacter()).slice(own).trim(),
      lines,
      stage,
      index,
    };
    steps.push(step);
    checkArguments(step, hasContext);

    if (keyword === 'FROM') {
      if (/\$\{\w+[^\w}]/.test(step.text)) throw invalid(line, 'FROM may have $NAME and ${NAME}, but no modifiers');
      const [image = ''] = instruction
        .getExpandedArguments()
        .map((it) => it.getValue())
        .filter((it) => !it.startsWith('--'));
      if (image.includes('$')) throw invalid(line, `FROM ${image}: the variable has no default`);
      step.from = image;
      if (image !== 'scratch' && !stages.has(image.toLowerCase())) {
        checkImage(image, line);
        images.push(image);
      }
      const name = (instruction as From).getBuildStage();
      if (name && !/^[a-z0-9][a-z0-9_.-]*$/i.test(name))
        throw invalid(line, `${JSON.stringify(name)} is not a stage name`);
      if (name) stages.add(name.toLowerCase());
    }
    if ((keyword === 'RUN' || keyword === 'COPY' || keyword === 'ADD') && /(^|\s)<<-?["']?\w/.test(step.text)) {
      if (keyword !== 'RUN' || (instruction as Run).getHeredocs().length > 0)
        throw invalid(line, 'here-documents are not supported; use && or several instructions');
    }
    if (keyword === 'RUN')
      for (const flag of flags) {
        const { secret } = checkRunFlag(flag, line);
        if (secret !== undefined) secrets.set(secret, secrets.get(secret) ?? line);
      }
    if (keyword === 'ARG' || keyword === 'ENV') warnings.push(...secretLike(step));
    const from = keyword === 'COPY' ? flags.find((it) => it.name === 'from')?.value : undefined;
    if (from !== undefined && !stages.has(from.toLowerCase()) && !/^\d+$/.test(from)) {
      checkImage(from, line);
      images.push(from);
    }
  }
  if (stage === 0) throw invalid(1, 'there is no FROM');
  if (new Set(images).size > imagesMax) throw invalid(1, `more than ${imagesMax} images to start or copy from`);
  return { steps, images, secrets, warnings };
}
