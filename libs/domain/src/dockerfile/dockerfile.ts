import { checkImage } from './check-image.ts';
import { declareArguments, imageOfFrom, nameOfStage, platformOfFrom, platformVariables } from './from-image.ts';
import { checkArguments, checkLineBreaks } from './mistakes.ts';
import { checkRunFlag } from './run-flags.ts';
import { secretLike } from './secret-like.ts';
import { takeFlags } from './flags.ts';
import { type Instruction, splitInstructions } from './instructions.ts';
import { contextName } from '../images/context-name.ts';
import { parsePlatform } from '../images/platform-key.ts';
import { type NamedImages, Stages } from './stages.ts';
import { invalid, keywords, type Step } from './step.ts';

/** A secret that steps mount. */
export interface WantedSecret {
  /** First line that wants it. */
  line: number;
  /** Whether a step fails without it. */
  required: boolean;
}

export interface ParsedDockerfile {
  steps: Step[];
  /**
   * Images that its stages start from or copy from, as it names them, without scratch, its own stages and named
   * contexts with files, and without those of stages that are not built; variables are filled in.
   */
  images: string[];
  /** What some of these names stand for instead. */
  named: ReadonlyMap<string, string>;
  /** `os/architecture` that the image is for. */
  platform: string;
  /** Secrets that its steps mount. */
  secrets: ReadonlyMap<string, WantedSecret>;
  /** Numbers of the stages that are built: the target, and all that it needs. */
  built: ReadonlySet<number>;
  /** What is allowed, and most often a mistake. */
  warnings: string[];
  /** The character that continues a line. */
  escape: string;
}

export interface ParseOptions {
  /** Whether there are files to copy from. */
  hasContext?: boolean;
  /** What names stand for, in their familiar form: an image, or files when undefined. */
  named?: NamedImages;
  /** `os/architecture` of the builder. */
  builder?: string;
  /** `os/architecture[/variant]` that the image is for; the builder's own when left out. */
  platform?: string | undefined;
  /** Stage to build; the last one when left out. */
  target?: string | undefined;
  /** Values for its ARGs, over their defaults. */
  arguments?: Record<string, string>;
}

const stepsMax = 500;
const stagesMax = 50;
const imagesMax = 16;
const lineMax = 65_535;

// BuildKit's usual frontend means the one that it has built in; any other one would run as a program of its own.
const frontend = /^#\s*syntax\s*=\s*(\S+)/i;
const usualFrontend = /^(?:docker\.io\/)?docker\/dockerfile(?::1(?:[.-][\w.-]*)?)?(?:@sha256:[0-9a-f]{64})?$/;

/** Refuses what stands above the first instruction and would change who reads the rest. */
function checkHead(text: string): void {
  if (/\r(?!\n)/.test(text)) throw invalid(1, 'has a carriage return that ends no line');
  const [, syntax] = frontend.exec(text.trimStart()) ?? [];
  if (syntax !== undefined && !usualFrontend.test(syntax))
    throw invalid(
      1,
      `the frontend ${syntax} is not supported; leave the syntax directive out, or use docker/dockerfile:1`,
    );
  checkLineBreaks(text);
  const long = text.split('\n').findIndex((it) => it.length > lineMax);
  if (long >= 0) throw invalid(long + 1, `has more than ${lineMax} characters, and BuildKit takes no more`);
}

/** What BuildKit takes without arguments. */
const mayBeEmpty = new Set(['RUN', 'CMD', 'ENTRYPOINT']);

/** Makes a step of an instruction, and refuses what cannot be one. */
function stepOf({ keyword, text, lines }: Instruction, escape: string, stage: number, index: number): Step {
  const [line] = lines;
  if (!keywords.has(keyword)) throw invalid(line, `unknown instruction ${keyword}`);
  if (text === '' && !mayBeEmpty.has(keyword)) throw invalid(line, `${keyword} needs an argument`);
  if (keyword !== 'FROM' && keyword !== 'ARG' && stage === 0) throw invalid(line, `${keyword} must come after FROM`);
  const { flags, rest } = takeFlags(text, escape);
  return { keyword, flags, text, operands: rest, lines, stage, index, uses: [] };
}

/**
 * Parses a Dockerfile and refuses what cannot be built here, before anything is stored.
 * @throws Fault DockerfileInvalid that names the line
 */
export function parseDockerfile(
  given: string,
  {
    hasContext = false,
    named = new Map(),
    builder = 'linux/amd64',
    platform = builder,
    target,
    arguments: values = {},
  }: ParseOptions = {},
): ParsedDockerfile {
  const text = given.replace(/^\uFEFF/, '');
  checkHead(text);
  const { instructions, escape } = splitInstructions(text);
  const variables = platformVariables({ target: platform, builder });
  const stages = new Stages(named);
  const steps: Step[] = [];
  const warnings: string[] = [];
  const secrets: { id: string; stage: number; line: number; required: boolean }[] = [];
  let index = 0;

  for (const instruction of instructions) {
    const isFrom = instruction.keyword === 'FROM';
    index = isFrom ? 1 : index + 1;
    const number = stages.count + (isFrom ? 1 : 0);
    const [line] = instruction.lines;
    if (steps.length >= stepsMax) throw invalid(line, `more than ${stepsMax} instructions`);
    if (number > stagesMax) throw invalid(line, `more than ${stagesMax} stages`);
    const step = stepOf(instruction, escape, number, number === 0 ? 0 : index);
    steps.push(step);
    checkArguments(step, hasContext, escape);
    if (step.keyword === 'ARG' && number === 0) declareArguments(step, variables, values, escape);
    if (isFrom) {
      step.from = imageOfFrom(step, variables, escape);
      step.platform = platformOfFrom(step, variables, escape, platform);
      const name = nameOfStage(step.operands);
      stages.begin(step.from, name, line);
      // What stands in its place is looked for by the stage's own name.
      if (name !== undefined && stages.isReplaced(name)) step.from = name.toLowerCase();
    }
    if (step.keyword === 'RUN')
      for (const flag of step.flags) {
        const { from, secret, required = false } = checkRunFlag(flag, line);
        if (from !== undefined) step.uses.push(from);
        if (secret !== undefined) secrets.push({ id: secret, stage: number, line, required });
      }
    if (step.keyword === 'ARG' || step.keyword === 'ENV') warnings.push(...secretLike(step));
    const from = step.keyword === 'COPY' ? step.flags.find((it) => it.name === 'from')?.value : undefined;
    if (from !== undefined) step.uses.push(from);
    step.uses = step.uses.filter((it) => !stages.use(it, line, step.keyword === 'COPY'));
  }
  if (stages.count === 0) throw invalid(1, 'there is no FROM');
  const built = stages.built(target);
  const images = stages.imagesOf(built);
  const instead = new Map<string, string>();
  for (const { name, line } of images) {
    const image = named.get(contextName(name));
    if (image !== undefined) instead.set(name, image);
    checkImage(image ?? name, line);
  }
  const names = [...new Set(images.map((it) => it.name))];
  if (names.length > imagesMax) throw invalid(1, `more than ${imagesMax} images to start or copy from`);
  const wanted = new Map<string, WantedSecret>();
  for (const { id, stage, line, required } of secrets) {
    if (!built.has(stage)) continue;
    const known = wanted.get(id);
    wanted.set(id, { line: known?.line ?? line, required: required || (known?.required ?? false) });
  }
  return {
    steps,
    images: names,
    named: instead,
    platform: parsePlatform(platform) ?? builder,
    secrets: wanted,
    built,
    warnings,
    escape,
  };
}
