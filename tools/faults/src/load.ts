import { memoryMiB } from '@kiln/stack';
import type { Random } from '@kiln/kit/testing';
import type { FaultKiln } from './fault-kiln.ts';
import type { App } from './fleet.ts';
import { judge } from './oracle.ts';
import { sleep } from './scenario.ts';

/** Clients, each of which waits for its build before it submits the next one. */
const clients = 32;
const sampleEveryMs = 10_000;
const lookEveryMs = 250;
const lastBuildsMs = 120_000;
/** Something is killed once in so many samples. */
const killEvery = 2;

interface Sample {
  builds: number;
  transactions: number;
  connections: number;
  /** Of all processes of an app, in MB. */
  memory: Record<App, number>;
}

/** Of one that was killed just now, nothing. */
const memoryOf = (pid: number): number => {
  try {
    return memoryMiB(pid);
  } catch {
    return 0;
  }
};

async function sample(kiln: FaultKiln): Promise<Sample> {
  const [row] = await kiln.sql<Omit<Sample, 'memory'>>(
    `SELECT (SELECT count(*)::int FROM builds WHERE finished_at IS NOT NULL) AS builds,
       (SELECT (xact_commit + xact_rollback)::int FROM pg_stat_database WHERE datname = current_database()) AS transactions,
       (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()) AS connections`,
  );
  const memory: Record<App, number> = { api: 0, builder: 0, registrar: 0 };
  for (const { name, app } of kiln.fleet.members) memory[app] += memoryOf(kiln.fleet.pidOf(name));
  return { builds: 0, transactions: 0, connections: 0, ...row, memory };
}

const perProcess = (kiln: FaultKiln, { memory }: Sample): string =>
  (Object.entries(memory) as [App, number][])
    .map(([app, mb]) => `${app} ${(mb / kiln.fleet.members.filter((it) => it.app === app).length).toFixed(0)}`)
    .join(', ');

/**
 * Short builds on a fleet for so many minutes, with a process killed every 20 s; prints what it did, and what was lost.
 * @returns whether nothing was lost or done twice
 */
export async function runLoad(kiln: FaultKiln, minutes: number, random: Random): Promise<boolean> {
  const until = performance.now() + minutes * 60_000;
  const apis = kiln.fleet.members.filter((it) => it.app === 'api').length;
  const waitedFor = new Map<string, () => void>();
  // One looks for all clients: their own looks would be most of what is counted.
  const look = setInterval(
    () =>
      void kiln
        .sql<{ id: string }>('SELECT id FROM builds WHERE id = ANY($1) AND finished_at IS NOT NULL', [
          [...waitedFor.keys()],
        ])
        .then((rows) => rows.forEach(({ id }) => waitedFor.get(id)?.())),
    lookEveryMs,
  );
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const id = await kiln.submit(kiln.request({ step: 'sleep 0.2' }));
      await new Promise<void>((resolve) => waitedFor.set(id, resolve));
      waitedFor.delete(id);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  const samples = [await sample(kiln)];
  let killed = 0;
  console.log('   after     builds  a second  transactions a build  connections  MB of a process');
  while (performance.now() < until) {
    await sleep(sampleEveryMs);
    const before = samples.at(-1) as Sample;
    const now = await sample(kiln);
    samples.push(now);
    const done = now.builds - before.builds;
    console.log(
      [
        `${((samples.length - 1) * sampleEveryMs) / 1000} s`.padStart(8),
        String(now.builds).padStart(10),
        (done / (sampleEveryMs / 1000)).toFixed(2).padStart(9),
        (done === 0 ? '–' : ((now.transactions - before.transactions) / done).toFixed(0)).padStart(21),
        String(now.connections).padStart(12),
        `  ${perProcess(kiln, now)}`,
      ].join(' '),
    );
    if (samples.length % killEvery === 0) {
      await kiln.fleet.kill(random.pick(kiln.fleet.members).name);
      killed += 1;
    }
  }
  // What has not ended by then is lost, and the oracle says so.
  await Promise.race([all, sleep(lastBuildsMs)]);
  clearInterval(look);
  await kiln.fleet.whole();
  const verdict = await judge(kiln, [...kiln.accepted]);
  const wrong = Object.values(verdict).flat() as string[];
  const [first, last] = [samples[0] as Sample, samples.at(-1) as Sample];
  const seconds = ((samples.length - 1) * sampleEveryMs) / 1000;
  const done = last.builds - first.builds;
  console.log(
    `\n${apis} apis and the rest, ${clients} clients: ${(done / seconds).toFixed(2)} builds a second, ` +
      `${((last.transactions - first.transactions) / done).toFixed(0)} transactions a build, ` +
      `at most ${Math.max(...samples.map((it) => it.connections))} connections; ${killed} processes killed; ` +
      `${kiln.accepted.size} accepted, ${wrong.length} lost, doubled or left over`,
  );
  for (const it of wrong) console.log(`    ${it}`);
  return wrong.length === 0;
}
