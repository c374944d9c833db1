import { invalid, keywords, type Step } from './step.ts';
import { wordsOf } from './words.ts';

// Words that begin an instruction, and nothing else that may stand behind FROM.
const keyword = [...keywords].join('|');
const escapedBreak = new RegExp(String.raw`\\n\s*(?:${keyword})\s`, 'i');

/**
 * Refuses a Dockerfile on one line whose line breaks are written as a backslash and an n, as they are when it was
 * quoted twice.
 * @throws Fault DockerfileInvalid
 */
export function checkLineBreaks(text: string): void {
  if (text.trim().includes('\n') || !escapedBreak.test(text)) return;
  throw invalid(1, 'has \\n, a backslash and an n, where a line break is meant: it was quoted once too often');
}

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/**
 * Refuses instructions whose arguments no engine takes, and copies of files where there are none.
 * @throws Fault DockerfileInvalid that names the line
 */
export function checkArguments(step: Step, hasContext: boolean, escape: string): void {
  const [line] = step.lines;
  switch (step.keyword) {
    case 'FROM':
      return checkFrom(step.operands, line);
    case 'ENV':
    case 'LABEL':
      return checkPairs(step, escape);
    case 'COPY':
    case 'ADD':
      return hasContext ? undefined : checkCopy(step, line);
  }
}

function checkPairs({ keyword, text, lines: [line] }: Step, escape: string): void {
  const [first = '', ...more] = wordsOf(text, escape);
  // The old form: a name, and all the rest is its value.
  if (!first.includes('=')) {
    if (more.length > 0) return;
    throw invalid(line, `${keyword} ${text} has no value; write ${keyword} ${text}=value`);
  }
  const odd = more.find((it) => !it.includes('='));
  if (odd === undefined) return;
  throw invalid(
    line,
    `${keyword} has ${odd.slice(0, 100)}, which is no NAME=VALUE; a value with blanks stands in quotes: ${keyword} NAME="a b"`,
  );
}

function checkFrom(text: string, line: number): void {
  const [image = '', as, name, ...more] = words(text);
  if (as === undefined) return;
  if (as.startsWith('#'))
    throw invalid(line, `FROM ${image} is followed by a comment; a comment has a line of its own`);
  if (keywords.has(as.toUpperCase()))
    throw invalid(
      line,
      `FROM ${image} and ${as} stand on one line, as in the example of the cloud's documents; every instruction begins a line of its own`,
    );
  if (as.toUpperCase() !== 'AS')
    throw invalid(line, `FROM ${image} is followed by ${JSON.stringify(as)}; only AS and the name of the stage may be`);
  if (name === undefined) throw invalid(line, `FROM ${image} AS needs the name of the stage`);
  if (more.length > 0) throw invalid(line, `FROM ${image} AS ${name} is followed by ${JSON.stringify(more.join(' '))}`);
}

// What ADD fetches by itself, and what stands in the Dockerfile itself; a variable may hold such an address.
const remote = /^["']?(?:https?|ftp|git):\/\/|^["']?git@|^["']?\$/i;

function checkCopy({ keyword: name, flags, operands }: Step, line: number): void {
  if (flags.some((it) => it.name === 'from')) return;
  const [plain = ''] = operands.split('\n');
  let all = words(plain);
  if (plain.startsWith('[')) {
    try {
      all = (JSON.parse(plain) as unknown[]).map(String);
    } catch {
      // Not JSON: then it is words.
    }
  }
  const local = all.slice(0, -1).find((it) => !it.startsWith('<<') && (name === 'COPY' || !remote.test(it)));
  if (local === undefined) return;
  const instead =
    name === 'COPY' ? 'COPY --from=STAGE or --from=IMAGE' : 'COPY --from=STAGE or --from=IMAGE, or ADD of an address';
  throw invalid(line, `${name} ${local} is a file of the build context, and builds here have none; ${instead} may be`);
}
