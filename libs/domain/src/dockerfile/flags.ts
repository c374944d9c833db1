import type { Step } from './step.ts';

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
