import { crashPoints } from '@kiln/kit';
import type { Random } from '@kiln/kit/testing';
import type { FaultKiln } from '../fault-kiln.ts';
import { type Scenario, sleep } from '../scenario.ts';

/** Things that go wrong by themselves, and mend themselves within seconds. */
const mishaps: Record<string, (kiln: FaultKiln, random: Random) => Promise<void>> = {
  async 'a process is killed'(kiln, random) {
    await kiln.fleet.kill(random.pick(kiln.fleet.members).name);
  },
  'a process crashes somewhere': (kiln, random) => {
    // Nobody may come by for a while; the storm does not wait.
    kiln.fleet
      .arm(random.pick(crashPoints.filter((it) => it !== 'drain-begun' && it !== 'webhook-sent')))
      .catch(() => undefined);
    return Promise.resolve();
  },
  async 'a process is stopped for a while'(kiln, random) {
    const { name } = random.pick(kiln.fleet.members);
    kiln.fleet.signal(name, 'SIGSTOP');
    await sleep(random.int(500, 18_000));
    kiln.fleet.signal(name, 'SIGCONT');
  },
  async 'a way to PostgreSQL is cut'(kiln, random) {
    const { postgres } = random.pick(kiln.fleet.members).links;
    postgres.set(random.pick(['black-hole', 'refuse']));
    await sleep(random.int(500, 18_000));
    postgres.set('pass');
  },
  async 'a way to Redis is cut'(kiln, random) {
    const { redis } = random.pick(kiln.fleet.members).links;
    redis.set(random.pick(['black-hole', 'refuse']));
    await sleep(random.int(500, 18_000));
    redis.set('pass');
  },
  'Redis forgets everything': (kiln) => kiln.flushRedis(),
  async 'a builder is asked to stop'(kiln, random) {
    kiln.fleet.signal(random.pick(['builder-1', 'builder-2']), 'SIGTERM');
    return Promise.resolve();
  },
  async 'the registry is unwell'(kiln, random) {
    kiln.front.set(
      random.pick([
        { kind: 'status', status: 503 },
        { kind: 'slow', ms: 1500 },
        { kind: 'cut', afterBytes: 200 },
      ] as const),
    );
    await sleep(random.int(500, 4000));
    kiln.front.set({ kind: 'well' });
  },
  async 'PostgreSQL is killed'(kiln, random) {
    await kiln.postgres.kill();
    await sleep(random.int(0, 3000));
    await kiln.postgres.start();
  },
  async 'somebody cancels'(kiln, random) {
    const ids = [...kiln.accepted];
    const recent = ids.slice(-6);
    if (recent.length === 0) return;
    await kiln
      .api(random.pick([1, 2]))
      .pai('POST', `/api/v1/imagebuilds/${random.pick(recent)}/cancel`)
      .catch(() => undefined);
  },
};

/** Awaited at the end; until then a failure must not end the suite. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

export const storm = (seconds: number): Scenario => ({
  name: `storm of ${seconds} s: a submission a second, a mishap every two`,
  aim: 'none',
  short: false,
  ends: ['succeeded', 'cancelled'],
  async run(kiln, random) {
    const submissions: Promise<string>[] = [];
    const troubles: Promise<void>[] = [];
    // PostgreSQL is one; two mishaps must not start it at once.
    let postgresBusy = false;
    for (let second = 0; second < seconds; second += 1) {
      submissions.push(handled(kiln.submit(kiln.request({ seconds: random.pick([0, 1, 2, 5]) }))));
      if (second % 2 === 0) {
        const name = random.pick(Object.keys(mishaps));
        const mishap = mishaps[name];
        if (mishap && !(name === 'PostgreSQL is killed' && postgresBusy)) {
          if (name === 'PostgreSQL is killed') postgresBusy = true;
          troubles.push(
            handled(
              mishap(kiln, random).finally(() => {
                if (name === 'PostgreSQL is killed') postgresBusy = false;
              }),
            ),
          );
        }
      }
      await sleep(1000);
    }
    await Promise.all(troubles);
    kiln.fleet.disarm();
    const ids = await Promise.all(submissions);
    await kiln.ended(ids, 300_000);
    return undefined;
  },
});
