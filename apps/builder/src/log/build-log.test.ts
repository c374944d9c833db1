import { type Build, readLog } from '@kiln/persistence';
import { type BuildBench, openBuildBench } from '@kiln/persistence/testing';
import { openBuildLog } from './build-log.ts';
import { Redaction } from './redaction.ts';

let bench: BuildBench;
let build: Build;
beforeEach(async () => {
  bench = await openBuildBench();
  build = await bench.claimed();
});
afterEach(() => bench.close());

const written = async (): Promise<string[]> => {
  const lines: string[] = [];
  for await (const piece of readLog(bench.db, build.id, build.attempt, 0)) {
    expect(piece[0]?.n).toBe(lines.length);
    for (const it of piece) lines.push(it.text.slice(0, 80));
  }
  return lines;
};
const open = (told: () => void = () => undefined) => openBuildLog(bench.db, build, new Redaction(), told, () => false);

it('keeps the head and the tail of a log that is too long, and says how many lines are missing', async () => {
  const log = open();
  const line = 'x'.repeat(990);
  for (let n = 0; n < 80_000; n += 1) await log.write(`${String(n).padStart(8, '0')} ${line}`);
  await log.write('error: this is what it ended with');
  await log.flush();
  const lines = await written();
  const cut = lines.findIndex((it) => it.startsWith('[the log is cut here, at 64 MiB'));
  expect(lines[0]).toMatch(/^00000000 /);
  expect(lines[cut - 1]).toMatch(new RegExp(`^${String(cut - 1).padStart(8, '0')} `));
  const [, left] = /^\[(\d+) lines are left out here\]$/.exec(lines[cut + 1] ?? '') ?? [];
  expect(lines[cut + 2]).toMatch(new RegExp(`^${String(cut + Number(left)).padStart(8, '0')} `));
  expect(lines.at(-1)).toBe('error: this is what it ended with');
  // All lines but those, and the two marks.
  expect(lines.length).toBe(80_001 - Number(left) + 2);
});

it('tells of each piece, and writes the same again only once', async () => {
  let told = 0;
  const log = open(() => (told += 1));
  await log.write('one');
  await log.flush();
  await log.flush();
  await log.write('two');
  await log.flush();
  expect(await written()).toEqual(['one', 'two']);
  expect(told).toBe(2);
});
