import type { CrashPoint } from '@kiln/kit';
import type { FaultKiln } from '../fault-kiln.ts';
import { childOf } from '@kiln/stack/testing';
import { outcomeOf, recovery, running, type Scenario, type Sign, sleep } from '../scenario.ts';
import { longStepSeconds, recoveryWithoutOverlap } from './silenced.ts';

/** Those of `npm test`: one of each process. `npm run faults` has all. */
const shortPoints = new Set<CrashPoint>(['submission-committed', 'image-pushed', 'tag-committed']);

/** By what a build is seen to go on after a crash at each point. */
const points: [CrashPoint, Sign][] = [
  ['submission-committed', 'first attempt'],
  ['dispatch-chosen', 'first attempt'],
  ['dispatch-committed', 'first attempt'],
  ['relay-sent', 'first attempt'],
  ['build-fetched', 'first attempt'],
  ['build-claimed', 'next attempt'],
  ['step-running', 'next attempt'],
  ['log-written', 'next attempt'],
  ['image-built', 'next attempt'],
  ['push-begun', 'next attempt'],
  ['image-pushed', 'next attempt'],
  ['handed-over', 'success'],
  ['registration-fetched', 'success'],
  ['registration-claimed', 'success'],
  ['image-verified', 'success'],
  ['tag-committed', 'success'],
  ['tag-set', 'success'],
  ['catalogue-written', 'success'],
];

const atPoints = points.map(([point, sign]): Scenario => ({
  name: `kill -9 at ${point}`,
  aim: 'process',
  short: shortPoints.has(point),
  async run(kiln) {
    const crash = kiln.fleet.arm(point);
    // A neighbour has to get through, too.
    const ids = await Promise.all([kiln.submit(), kiln.submit()]);
    return recovery(kiln, ids, (await crash).at, sign);
  },
}));

/** `kill -9` at moments that no point in the code names. */
export const killed: Scenario[] = [
  ...atPoints,
  {
    name: 'kill -9 of a builder in the middle of a step',
    aim: 'process',
    short: false,
    async run(kiln) {
      const { id, holder } = await running(kiln, 3);
      const { at } = await kiln.fleet.kill(holder);
      return recovery(kiln, [id], at, 'next attempt');
    },
  },
  {
    name: 'kill -9 of a registrar after it took a dead builder’s builds away',
    aim: 'process',
    short: false,
    async run(kiln) {
      const { id, holder } = await running(kiln, 3);
      const second = kiln.fleet.arm('builds-taken-away');
      const { at } = await kiln.fleet.kill(holder);
      await second;
      return recovery(kiln, [id], at, 'next attempt');
    },
  },
  {
    name: 'kill -9 of a builder while it drains',
    aim: 'process',
    short: false,
    async run(kiln) {
      const { id, holder } = await running(kiln, 3);
      const crash = kiln.fleet.arm('drain-begun');
      kiln.fleet.signal(holder, 'SIGTERM');
      const ms = await recovery(kiln, [id], (await crash).at, 'next attempt');
      await requireDeath(kiln, id);
      return ms;
    },
  },
  {
    name: 'SIGTERM of a builder: it drains for 1 s, then hands back',
    aim: 'process',
    short: true,
    async run(kiln) {
      const { id, holder } = await running(kiln, 4);
      kiln.fleet.signal(holder, 'SIGTERM');
      const ms = await recovery(kiln, [id], Date.now(), 'next attempt');
      const [row] = await kiln.sql<{ failures: number }>('SELECT failures FROM builds WHERE id = $1', [id]);
      if (row?.failures !== 0) throw new Error('a shutdown was counted as a failure');
      return ms;
    },
  },
  {
    name: 'SIGTERM twice: the builder ends at once',
    aim: 'process',
    short: false,
    async run(kiln) {
      const { id, holder } = await running(kiln, 4);
      kiln.fleet.signal(holder, 'SIGTERM');
      await sleep(200);
      const since = Date.now();
      kiln.fleet.signal(holder, 'SIGTERM');
      const ms = await recovery(kiln, [id], since, 'next attempt');
      await requireDeath(kiln, id);
      return ms;
    },
  },
  {
    name: 'kill -9 of the watchdog, then a builder that is stopped',
    aim: 'silence',
    short: false,
    async run(kiln) {
      const { id, holder } = await running(kiln, longStepSeconds(kiln));
      process.kill(childOf(kiln.fleet.pidOf(holder), 'watchdog-process'), 'SIGKILL');
      await sleep(1000);
      kiln.fleet.signal(holder, 'SIGSTOP');
      const since = Date.now();
      const ms = await recoveryWithoutOverlap(kiln, id, since);
      kiln.fleet.signal(holder, 'SIGCONT');
      return ms;
    },
  },
  {
    name: 'kill -9 of all six processes at once',
    aim: 'none',
    short: true,
    async run(kiln) {
      const ids = await Promise.all([1, 2, 3].map((seconds) => kiln.submit(kiln.request({ seconds }))));
      await Promise.all(kiln.fleet.members.map((it) => kiln.fleet.kill(it.name)));
      await kiln.ended(ids);
      return undefined;
    },
  },
];

/** The attempt was cut short, and did not hand its build back. */
async function requireDeath(kiln: FaultKiln, id: string): Promise<void> {
  const outcome = await outcomeOf(kiln, id, 1);
  if (outcome !== 'worker died') throw new Error(`the first attempt ended as "${outcome}"`);
}
