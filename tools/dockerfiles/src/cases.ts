import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A Dockerfile and what is said beside it. */
export interface Case {
  name: string;
  dockerfile: string;
  /** Whether it must be built; what one version of BuildKit builds and another does not is either. */
  builds: 'yes' | 'no' | 'either';
  buildArgs: Record<string, string>;
  secrets: Record<string, string>;
  target: string | undefined;
}

/** Bytes that a text editor would lose. */
const changes: Record<string, (dockerfile: string) => string> = {
  crlf: (it) => it.replaceAll('\n', '\r\n'),
  bom: (it) => `\uFEFF${it}`,
  chomp: (it) => it.trimEnd(),
  layers: (it) => it + Array.from({ length: 120 }, (_, at) => `RUN echo ${at} > /${at}\n`).join(''),
  long: (it) => it.replaceAll('LONG', 'long '.repeat(10_000)),
  'too-long': (it) => it.replaceAll('LONG', 'long '.repeat(20_000)),
};

const pair = (text: string): Record<string, string> => {
  const [name = '', ...value] = text.split('=');
  return { [name]: value.join('=') };
};

function readCase(text: string): Case {
  const [name = '', ...lines] = text.split('\n');
  const found: Case = { name, dockerfile: '', builds: 'yes', buildArgs: {}, secrets: {}, target: undefined };
  const said = lines.filter((it) => it.startsWith('! '));
  found.dockerfile = `${lines
    .filter((it) => !it.startsWith('! '))
    .join('\n')
    .trimEnd()}\n`;
  for (const line of said) {
    const [, word = '', rest = ''] = /^! (\w+) ?(.*)$/.exec(line) ?? [];
    if (word === 'fails') found.builds = 'no';
    else if (word === 'either') found.builds = 'either';
    else if (word === 'arg') Object.assign(found.buildArgs, pair(rest));
    else if (word === 'secret') Object.assign(found.secrets, pair(rest));
    else if (word === 'target') found.target = rest;
    else if (word === 'bytes' && changes[rest]) found.dockerfile = changes[rest](found.dockerfile);
    else throw new Error(`${name}: ${line} is not understood`);
  }
  return found;
}

const folder = join(import.meta.dirname, '../cases');

/**
 * Reads the cases of a file: `=== NAME`, the Dockerfile, and lines that begin with `! `, which say what is given to the
 * build and whether it fails.
 */
export const readCases = (file: string): Case[] =>
  `\n${readFileSync(join(folder, file), 'utf8')}`.split('\n=== ').slice(1).map(readCase);

/** All files of cases but the one with their bases. */
export const caseFiles = (): string[] => readdirSync(folder).filter((it) => it !== 'bases.txt');
