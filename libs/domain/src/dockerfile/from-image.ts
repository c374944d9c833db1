import { BadSubstitution, expandVariables, type Variables } from './expand-variables.ts';
import { parsePlatform } from '../images/platform-key.ts';
import { invalid, type Step } from './step.ts';

// A default within braces may have blanks.
const words = (text: string): string[] => text.match(/(?:"[^"]*"|'[^']*'|\$\{[^}]*\}|\\.|\S)+/g) ?? [];

/** What a stage is called: `AS name`. */
export const nameOfStage = (operands: string): string | undefined => words(operands)[2];

/** Variables that the engine sets by itself; each platform is `os/architecture[/variant]`. */
export const platformVariables = (platforms: { target: string; builder: string }): Map<string, string> =>
  new Map(
    Object.entries({ TARGET: platforms.target, BUILD: platforms.builder }).flatMap(([it, platform]) => {
      const [os = '', arch = '', variant = ''] = platform.split('/');
      return [
        [`${it}PLATFORM`, platform],
        [`${it}OS`, os],
        [`${it}ARCH`, arch],
        [`${it}VARIANT`, variant],
      ];
    }),
  );

/** Takes note of the arguments before the first FROM, each with those before it filled in. */
export function declareArguments(
  step: Step,
  variables: Map<string, string>,
  given: Record<string, string>,
  escape: string,
): void {
  for (const word of words(step.text)) {
    const [, name, value] = /^([A-Za-z_]\w*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === undefined) continue;
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    if (own !== undefined) variables.set(name, own);
    else if (value !== undefined) variables.set(name, expanded(value, variables, escape, step.lines[0]));
  }
}

function expanded(text: string, variables: Variables, escape: string, line: number): string {
  try {
    return expandVariables(text, variables, escape);
  } catch (error) {
    if (!(error instanceof BadSubstitution)) throw error;
    throw invalid(line, error.message);
  }
}

/**
 * `os/architecture` of a stage, with its variables filled in.
 * @param target what it is when its FROM does not say it
 * @throws Fault DockerfileInvalid
 */
export function platformOfFrom({ flags, lines: [line] }: Step, variables: Variables, escape: string, target: string) {
  const written = flags.find((it) => it.name === 'platform')?.value ?? '';
  return parsePlatform(expanded(written, variables, escape, line)) ?? parsePlatform(target);
}

/**
 * What a FROM starts from, with its variables filled in.
 * @throws Fault DockerfileInvalid
 */
export function imageOfFrom({ operands, lines: [line] }: Step, variables: Variables, escape: string): string {
  const [word = ''] = words(operands);
  const image = expanded(word, variables, escape, line);
  if (image === '') throw invalid(line, `FROM ${word}: the variable has no default`);
  return image;
}
