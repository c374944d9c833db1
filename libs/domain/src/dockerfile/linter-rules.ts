import type { ParsedDockerfile } from './dockerfile.ts';
import { nameOfStage } from './from-image.ts';
import type { Step } from './step.ts';
import { wordsOf } from './words.ts';

/** What BuildKit's linter says of a line. */
export interface RuleFinding {
  /** BuildKit's name of the rule: `check=skip=NAME` in a Dockerfile turns it off. */
  rule: string;
  /** From 1. */
  line: number;
  message: string;
}

/** A step, with its keyword as it is written. */
type Written = Step & { written: string };

const isLower = (it: string) => it === it.toLowerCase();
const isUpper = (it: string) => it === it.toUpperCase();

const found = (rule: string, { lines: [line] }: Step, message: string): RuleFinding => ({ rule, line, message });

/** Skipped rules, as the directive `check=skip=A,B` names them. */
function skippedRules(text: string): (rule: string) => boolean {
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^#\s*([a-z]+)\s*=\s*(\S+)/i.exec(line) ?? [];
    if (name === '') break;
    if (name.toLowerCase() !== 'check') continue;
    const skip = value.split(';').find((it) => it.startsWith('skip='));
    const rules = skip?.slice('skip='.length).split(',') ?? [];
    return (rule) => rules.includes('all') || rules.includes(rule);
  }
  return () => false;
}

function checkCasing(steps: readonly Written[]): RuleFinding[] {
  // ARGs before the first FROM do not count.
  const all = steps.filter((it) => it.stage > 0);
  const lower = all.filter((it) => isLower(it.written)).length;
  const upper = all.filter((it) => isUpper(it.written)).length;
  const [fits, casing] = lower > upper ? [isLower, 'lowercase'] : [isUpper, 'uppercase'];
  return all
    .filter((it) => !fits(it.written))
    .map((it) =>
      found(
        'ConsistentInstructionCasing',
        it,
        `Command '${it.written}' should match the case of the command majority (${casing})`,
      ),
    );
}

function* checkFrom(step: Written, names: Set<string>): Generator<RuleFinding> {
  const { operands, written, flags } = step;
  const [, as = ''] = operands.split(/\s+/);
  const name = nameOfStage(operands);
  const platform = flags.find((it) => it.name === 'platform')?.value ?? '';
  if (/^(?:\$TARGETPLATFORM|\$\{TARGETPLATFORM\})$/.test(platform))
    yield found(
      'RedundantTargetPlatform',
      step,
      `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`,
    );
  const [os = '', architecture = ''] = platform.split('/');
  if (platform !== '' && !platform.includes('$') && ![os, architecture].some((it) => it !== '' && name?.includes(it)))
    yield found(
      'FromPlatformFlagConstDisallowed',
      step,
      `FROM --platform flag should not use constant value "${platform}"`,
    );
  if (name === undefined) return;
  if (!isLower(name)) yield found('StageNameCasing', step, `Stage name '${name}' should be lowercase`);
  if ((isLower(written) && !isLower(as)) || (isUpper(written) && !isUpper(as)))
    yield found('FromAsCasing', step, `'${as}' and '${written}' keywords' casing do not match`);
  const known = name.toLowerCase();
  if (known === 'scratch' || known === 'context')
    yield found('ReservedStageName', step, `Stage name should not use the same name as reserved stage "${known}"`);
  if (names.has(known))
    yield found('DuplicateStageName', step, `Duplicate stage name "${known}", stage names should be unique`);
  names.add(known);
}

/** What a stage has by now, and what the stages that start from it begin with. */
interface StageState {
  isWorkdirSet: boolean;
  hasShell: boolean;
  /** The last of those that count once. */
  once: Map<string, Step>;
}

function isJsonForm(operands: string): boolean {
  try {
    return Array.isArray(JSON.parse(operands));
  } catch {
    return false;
  }
}

const secret = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const noSecret = /(?:_|^)(?:public|file|version)(?:_|$)/i;

/** Whether ENV or LABEL has the old form: a name, and all the rest is its value. */
const isOldForm = (words: readonly string[]): boolean => words[0]?.includes('=') === false && words.length > 1;

function* checkPorts(step: Step): Generator<RuleFinding> {
  for (const port of step.operands.split(/\s+/)) {
    const [ports = '', protocol = ''] = port.split('/');
    if (!isLower(protocol))
      yield found('ExposeProtoCasing', step, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`);
    if (ports.includes(':') && !ports.includes('$'))
      yield found(
        'ExposeInvalidFormat',
        step,
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
      );
  }
}

function* checkStep(step: Step, stage: StageState, escape: string): Generator<RuleFinding> {
  const { keyword, operands } = step;
  if (keyword === 'ENV' || keyword === 'LABEL' || keyword === 'ARG') {
    const words = wordsOf(operands, escape);
    const isOld = keyword !== 'ARG' && isOldForm(words);
    if (isOld)
      yield found(
        'LegacyKeyValueFormat',
        step,
        `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
      );
    for (const word of keyword === 'LABEL' ? [] : words.slice(0, isOld ? 1 : undefined)) {
      const [name = ''] = word.split('=');
      if (!secret.test(name) || noSecret.test(name)) continue;
      const what = `${keyword} "${name}"`;
      yield found('SecretsUsedInArgOrEnv', step, `Do not use ARG or ENV instructions for sensitive data (${what})`);
    }
  }
  if (keyword === 'WORKDIR') {
    if (!stage.isWorkdirSet && !/^["']?[/$]/.test(operands))
      yield found(
        'WorkdirRelativePath',
        step,
        `Relative workdir "${operands}" can have unexpected results if the base image changes`,
      );
    stage.isWorkdirSet = true;
  }
  if (keyword === 'SHELL') stage.hasShell = true;
  if (keyword === 'EXPOSE') yield* checkPorts(step);
  if (keyword === 'CMD' || keyword === 'ENTRYPOINT' || keyword === 'HEALTHCHECK') {
    const before = stage.once.get(keyword);
    // The earlier one is the one that has no effect.
    if (before)
      yield found(
        'MultipleInstructionsDisallowed',
        before,
        `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
      );
    stage.once.set(keyword, step);
  }
  if ((keyword === 'CMD' || keyword === 'ENTRYPOINT') && !stage.hasShell && !isJsonForm(operands))
    yield found(
      'JSONArgsRecommended',
      step,
      `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`,
    );
}

/**
 * Rules of BuildKit's own linter that need neither files nor base images, in its words (of BuildKit 0.32,
 * https://docs.docker.com/reference/build-checks/). The engine says the rest when it builds.
 * @param text the Dockerfile that `parsed` was made of
 */
export function checkRules(text: string, { steps, built, escape }: ParsedDockerfile): RuleFinding[] {
  const lines = text.split(/\r?\n/);
  const all = steps.map((step): Written => {
    const [written = ''] = (lines[step.lines[0] - 1] ?? '')
      .replace(/^\uFEFF/, '')
      .trimStart()
      .split(/\s/);
    return { ...step, written };
  });
  const findings = checkCasing(all);
  const names = new Set<string>();
  const stages = new Map<string, StageState>();
  let stage: StageState | undefined;
  for (const step of all) {
    if (step.keyword === 'MAINTAINER')
      findings.push(
        found('MaintainerDeprecated', step, 'Maintainer instruction is deprecated in favor of using label'),
      );
    if (step.keyword === 'FROM') {
      findings.push(...checkFrom(step, names));
      const base = stages.get(step.from?.toLowerCase() ?? '');
      stage = { isWorkdirSet: base?.isWorkdirSet ?? false, hasShell: base?.hasShell ?? false, once: new Map() };
      const name = nameOfStage(step.operands);
      if (name !== undefined) stages.set(name.toLowerCase(), stage);
    } else if (stage && built.has(step.stage)) findings.push(...checkStep(step, stage, escape));
  }
  const isSkipped = skippedRules(text);
  return findings.filter((it) => !isSkipped(it.rule)).sort((a, b) => a.line - b.line);
}
