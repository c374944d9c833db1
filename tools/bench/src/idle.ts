import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchStack } from './bench-stack.ts';

/** Linux counts processor time in hundredths of a second, for programs of every architecture. */
const ticksPerSecond = 100;
/** How long everything is left alone first: caches fill, and PostgreSQL tidies up after the start. */
const settleMs = 30_000;

interface Stat {
  pid: number;
  parent: number;
  /** Processor time of the process and of the children that it has waited for. */
  ticks: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    // The name stands in brackets and may hold anything; fields are counted from behind it.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
    return { pid, parent: fields[1] ?? 0, ticks: user + system + childrenUser + childrenSystem };
  } catch {
    return undefined; // ended meanwhile
  }
}

/** Processor seconds that a process and all below it have taken so far. */
export function cpuSecondsOf(root: number): number {
  const all = readdirSync('/proc').filter((it) => /^\d+$/.test(it)).map(Number).flatMap((it) => statOf(it) ?? []); // prettier-ignore
  const tree = new Set([root]);
  for (let before = 0; before < tree.size;) {
    before = tree.size;
    for (const it of all) if (tree.has(it.parent)) tree.add(it.pid);
  }
  return all.filter((it) => tree.has(it.pid)).reduce((sum, it) => sum + it.ticks, 0) / ticksPerSecond;
}

/** Prints the processor time that each process of a Kiln takes while nobody asks it for anything. */
export async function benchIdle(stack: BenchStack, minutes: number): Promise<void> {
  await sleep(settleMs);
  const read = () => stack.processes.map(({ name, pid }) => ({ name, seconds: cpuSecondsOf(pid) }));
  const before = read();
  const startedAt = performance.now();
  await sleep(minutes * 60_000);
  const after = read();
  const passed = (performance.now() - startedAt) / 60_000;
  const rows = after.map(({ name, seconds }, n) => ({
    name,
    perMinute: (seconds - (before[n]?.seconds ?? 0)) / passed,
  }));
  rows.push({ name: 'in all', perMinute: rows.reduce((sum, it) => sum + it.perMinute, 0) });
  console.log(`\n(g) idle, over ${passed.toFixed(1)} minutes    CPU seconds a minute    of a core`);
  for (const { name, perMinute } of rows)
    console.log(`    ${name.padEnd(28)} ${perMinute.toFixed(2).padStart(8)}  ${((perMinute / 60) * 100).toFixed(2).padStart(16)} %`); // prettier-ignore
}
