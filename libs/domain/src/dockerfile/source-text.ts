import { type Step } from './step.ts';

/**
 * An instruction's lines as one: a trailing escape continues a line, and lines that start with # in between are
 * comments. What follows is the text of its here-documents, line by line.
 */
export function joinLines(source: readonly string[], [first, last]: [number, number], escape: string): string {
  let joined = '';
  let isBody = false;
  for (const [index, line] of source.slice(first - 1, last).entries()) {
    if (isBody) joined += `\n${line}`;
    else if (index > 0 && /^\s*#/.test(line)) continue;
    else {
      const end = line.trimEnd();
      isBody = end !== '' && !end.endsWith(escape);
      joined += isBody ? line : `${end.endsWith(escape) ? end.slice(0, -1) : end} `;
    }
  }
  return joined.trim();
}

/** Splits what stands before the arguments: `--name=value`, where quotes and escapes protect blanks, and go. */
export function takeFlags(text: string, escape: string): { flags: Step['flags']; rest: string } {
  const flags: Step['flags'] = [];
  let at = 0;
  const skipBlanks = (): void => {
    while (/\s/.test(text[at] ?? '')) at += 1;
  };
  for (skipBlanks(); text.startsWith('--', at); skipBlanks()) {
    let word = '';
    let quote = '';
    for (; at < text.length && (quote !== '' || !/\s/.test(text[at] ?? '')); at += 1) {
      const character = text[at] ?? '';
      if (character === escape && at + 1 < text.length) word += text[(at += 1)] ?? '';
      else if (quote === character) quote = '';
      else if (quote === '' && (character === '"' || character === "'")) quote = character;
      else word += character;
    }
    // Ends them, as in a shell.
    if (word === '--') break;
    const [, name = '', value = ''] = /^--([^=]*)=?([\s\S]*)$/.exec(word) ?? [];
    flags.push({ name, value });
  }
  skipBlanks();
  return { flags, rest: text.slice(at) };
}
