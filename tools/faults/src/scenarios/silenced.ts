import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import type { FaultKiln } from '../fault-kiln.ts';
import type { Member } from '../fleet.ts';
import { processesOfAttempt } from '@kiln/stack/testing';
import type { Link } from '../link.ts';
import { holderOf, recovery, running, type Scenario, sleep } from '../scenario.ts';

/** Longer than a lease, and than the watchdog waits. */
const longMs = ({ timeScale }: FaultKiln): number => 25_000 * timeScale;
/** A step that would outlast both. */
export const longStepSeconds = ({ timeScale }: FaultKiln): number => 17 * timeScale;

/**
 * The processes of the first attempt are gone before the next attempt starts, though its step would still run.
 * @returns how long after `sinceMs` the next attempt started, in milliseconds; undefined when there was none
 * @throws Error when two attempts ran at once
 */
export async function recoveryWithoutOverlap(
  kiln: FaultKiln,
  id: string,
  sinceMs: number,
): Promise<number | undefined> {
  const gone = eventually(
    () => (processesOfAttempt(id, 1).length === 0 ? Date.now() : undefined),
    'the end of the first attempt’s processes',
  );
  const [goneAt, recovered] = await Promise.all([gone, recovery(kiln, [id], sinceMs, 'next attempt')]);
  const overlapMs = recovered === undefined ? 0 : goneAt - (sinceMs + recovered);
  if (overlapMs > 0) throw new Error(`processes of the first attempt still ran ${overlapMs} ms into the next attempt`);
  return recovered;
}

/**
 * A builder in the middle of a step cannot be heard for a while.
 * @param cut silences it, and gives what undoes that
 */
const unheard = (name: string, cut: (kiln: FaultKiln, holder: Member) => () => void, short = false): Scenario => ({
  name,
  aim: 'silence',
  short,
  async run(kiln) {
    const { id, holder } = await running(kiln, longStepSeconds(kiln));
    const heal = cut(kiln, kiln.fleet.member(holder));
    const since = Date.now();
    const [recovered] = await Promise.all([recoveryWithoutOverlap(kiln, id, since), sleep(longMs(kiln)).then(heal)]);
    return recovered;
  },
});

const stopped = (kiln: FaultKiln, { name }: Member): (() => void) => {
  kiln.fleet.signal(name, 'SIGSTOP');
  return () => kiln.fleet.signal(name, 'SIGCONT');
};
const blackHoled = (...ways: Link[]): (() => void) => {
  ways.forEach((it) => it.set('black-hole'));
  return () => ways.forEach((it) => it.set('pass'));
};

/** Workers that live, but cannot be heard. */
export const silenced: Scenario[] = [
  unheard('builder stopped (SIGSTOP) for longer than a lease, then continued', stopped, true),
  unheard('host vanished: builder stopped, its ways to PostgreSQL and Redis black-holed', (kiln, holder) => {
    const back = [blackHoled(holder.links.postgres, holder.links.redis), stopped(kiln, holder)];
    return () => back.forEach((it) => it());
  }),
  unheard('builder cut off from PostgreSQL (black hole) for longer than a lease', (_, { links }) =>
    blackHoled(links.postgres),
  ),
  {
    // Its connections are broken, so that it counts as dead at once; until it has given up, two attempts may run.
    name: 'builder cut off from PostgreSQL (refused) for longer than a lease',
    aim: 'silence',
    short: false,
    async run(kiln) {
      const { id, holder } = await running(kiln, longStepSeconds(kiln));
      const { postgres } = kiln.fleet.member(holder).links;
      postgres.set('refuse');
      const since = Date.now();
      await sleep(longMs(kiln));
      postgres.set('pass');
      return recovery(kiln, [id], since, 'next attempt');
    },
  },
  {
    name: 'registrar cut off from PostgreSQL (black hole) in the middle of a registration',
    aim: 'silence',
    short: false,
    async run(kiln) {
      kiln.front.set(
        { kind: 'slow', ms: 3000 },
        (method, path) => method === 'GET' && path.includes('/manifests/sha256'),
      );
      const id = await kiln.submit(kiln.request({ seconds: 0 }));
      await eventually(
        async () =>
          (
            await kiln.sql(`SELECT 1 FROM builds WHERE id = $1 AND state = 'registering' AND worker IS NOT NULL`, [id])
          )[0],
        `${id} to be registered`,
        60_000,
      );
      const heal = blackHoled(kiln.fleet.member(await holderOf(kiln, id)).links.postgres);
      const since = Date.now();
      kiln.front.set({ kind: 'well' });
      await sleep(longMs(kiln));
      heal();
      return recovery(kiln, [id], since, 'success');
    },
  },
  {
    name: 'clock of the builders set an hour ahead, then an hour back, in the middle of a build',
    aim: 'none',
    short: false,
    async run(kiln) {
      const library = await fakeClockLibrary();
      if (library === undefined) throw new Error('the package faketime is missing');
      const file = join(kiln.dir, 'clock');
      const builders = kiln.fleet.members.filter((it) => it.app === 'builder');
      await writeFile(file, '+0');
      const faked = {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      };
      for (const it of builders) await kiln.fleet.replace(it.name, faked);
      const { id } = await running(kiln, longStepSeconds(kiln));
      for (const offset of ['+3600', '-3600', '+0']) {
        await writeFile(file, offset);
        await sleep(3500);
      }
      await kiln.ended([id]);
      for (const it of builders) await kiln.fleet.replace(it.name);
      const [row] = await kiln.sql('SELECT attempt, state FROM builds WHERE id = $1', [id]);
      if (row?.['state'] !== 'succeeded' || row['attempt'] !== 1)
        throw new Error(`the jump cost an attempt: ${JSON.stringify(row)}`);
      return undefined;
    },
  },
];

async function fakeClockLibrary(): Promise<string | undefined> {
  for (const it of await readdir('/usr/lib')) {
    const folder = join('/usr/lib', it, 'faketime');
    if ((await readdir(folder).catch((): string[] => [])).includes('libfaketime.so.1'))
      return join(folder, 'libfaketime.so.1');
  }
  return undefined;
}
