import { wordsOf } from './words.ts';
import { invalid } from './step.ts';

/** An instruction as it is written: its continuation lines joined, comments between them dropped. */
export interface Instruction {
  /** In capitals. */
  keyword: string;
  /** What follows the keyword; the text of its here-documents follows line by line. */
  text: string;
  /** First and last line, from 1. */
  lines: [number, number];
}

/** The character that continues a line: a directive may name another one. */
function escapeOf(lines: readonly string[]): string {
  for (const line of lines) {
    const [, name = '', value] = /^#[ \t]*([a-z][a-z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*$/i.exec(line) ?? [];
    if (!['syntax', 'escape', 'check'].includes(name.toLowerCase())) break;
    if (name.toLowerCase() !== 'escape') continue;
    if (value === '\\' || value === '`') return value;
    throw invalid(1, 'the escape directive takes \\ or ` only');
  }
  return '\\';
}

/** A here-document that a line begins; `3<<EOF` gives its text to another file descriptor. */
interface HereDocument {
  name: string;
  /** Whether tabs at the beginning of its lines are dropped. */
  chomps: boolean;
}

const hasHereDocuments = /^(?:ONBUILD\s+)?(?:ADD|COPY|RUN)\s/i;

function hereDocumentsOf(line: string): HereDocument[] {
  if (!line.includes('<<') || !hasHereDocuments.test(line)) return [];
  return wordsOf(line, '\\').flatMap((word) => {
    const [, chomp, rest = ''] = /^\d*<<(-?)([^<]+)$/.exec(word) ?? [];
    const name = rest.replace(/\\(.)|["']/g, '$1');
    return name === '' ? [] : [{ name, chomps: chomp === '-' }];
  });
}

/**
 * Splits a Dockerfile into its instructions, as BuildKit does.
 * @throws Fault DockerfileInvalid
 */
export function splitInstructions(text: string): { instructions: Instruction[]; escape: string } {
  const lines = text.split(/\r?\n/);
  const escape = escapeOf(lines);
  const continued = escape === '`' ? /(?:^|[^`])`[ \t]*$/ : /(?:^|[^\\])\\[ \t]*$/;
  const isComment = (line: string): boolean => /^\s*#/.test(line);
  const instructions: Instruction[] = [];
  let at = 0;

  const body = ({ name, chomps }: HereDocument, first: number): string => {
    let found = '';
    for (; at < lines.length; at += 1) {
      const line = lines[at] ?? '';
      if ((chomps ? line.replace(/^\t+/, '') : line) === name) {
        at += 1;
        return `${found}\n${line}`;
      }
      found += `\n${line}`;
    }
    throw invalid(first, `the here-document ${name} does not end; it needs a line that is ${name} and nothing else`);
  };

  while (at < lines.length) {
    const first = at + 1;
    const begin = (lines[at] ?? '').trimStart();
    at += 1;
    if (begin === '' || isComment(begin)) continue;
    const parts = [begin];
    let last = first;
    for (let part = begin; continued.test(part) && at < lines.length; at += 1) {
      const next = lines[at] ?? '';
      if (isComment(next) || next.trim() === '') continue;
      parts.push((part = next));
      last = at + 1;
    }
    const line = parts
      .map((it) => (continued.test(it) ? it.replace(/.[ \t]*$/, '') : it))
      .join('')
      .trimEnd();
    const documents = hereDocumentsOf(line);
    const bodies = documents.map((it) => body(it, first)).join('');
    if (documents.length > 0) last = at;
    const [, keyword = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
    instructions.push({ keyword: keyword.toUpperCase(), text: rest + bodies, lines: [first, last] });
  }
  return { instructions, escape };
}
