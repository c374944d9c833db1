import type { Step } from './step.ts';

const secretName = /(?:^|_)(?:PASS(?:WORD|WD)?|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:_|$)/i;
// Forms that well-known services give to their keys.
const secretValue =
  /\b(?:AKIA[0-9A-Z]{16}|LTAI[0-9A-Za-z]{12,}|gh[pousr]_[0-9A-Za-z]{36}|glpat-[\w-]{20}|xox[abps]-[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY/;

const credentialsInUrl = /:\/\/[^/\s@]*:[^/\s@]*@/;

/** Whether the value of an argument or a label may be a secret: by its name, or by what it looks like. */
export const isSecretLike = (name: string, value: string): boolean =>
  value !== '' && (secretName.test(name) || secretValue.test(value) || credentialsInUrl.test(value));

/** Name of what looks like a secret in a text, such as an instruction, or an argument's `NAME=value`. */
const findSecret = (text: string): string | undefined =>
  [...text.matchAll(/([A-Za-z_]\w*)(?:=("[^"]*"|'[^']*'|\S*))?/g)].find(
    ([, name = '', value = '']) =>
      (secretName.test(name) && value.replace(/["']/g, '') !== '') || secretValue.test(value),
  )?.[1];

/** Warns of what would stay in the image for everyone to read. */
export function secretLike({ keyword, text, lines: [line] }: Step): string[] {
  const found = findSecret(text);
  if (found === undefined) return [];
  return [
    `line ${line}: ${keyword} ${found} looks like a secret; it stays in the image's history: use RUN --mount=type=secret,id=NAME`,
  ];
}
