import type { FaultKiln } from '../fault-kiln.ts';
import type { RegistryMood } from '@kiln/stack/testing';
import { type Scenario, sleep } from '../scenario.ts';

/** A registry that is in a bad way for some seconds costs nobody a build. */
const inAMood = (name: string, mood: RegistryMood, { mayFail = false }: { mayFail?: boolean } = {}): Scenario => ({
  name: `registry ${name}`,
  aim: 'none',
  short: false,
  ...(mayFail ? { ends: ['succeeded', 'failed'] } : {}),
  async run(kiln, random) {
    const ids = await Promise.all([1, 1, 1].map((seconds) => kiln.submit(kiln.request({ seconds }))));
    await sleep(random.int(200, 2500));
    kiln.front.set(mood);
    await sleep(6000);
    kiln.front.set({ kind: 'well' });
    await kiln.ended(ids, 150_000);
    if (!mayFail) await requireSuccess(kiln, ids);
    return undefined;
  },
});

async function requireSuccess(kiln: FaultKiln, ids: string[]): Promise<void> {
  const rows = await kiln.sql(`SELECT id, state, error FROM builds WHERE id = ANY($1) AND state <> 'succeeded'`, [ids]);
  if (rows.length > 0) throw new Error(`did not succeed: ${JSON.stringify(rows)}`);
}

export const registries: Scenario[] = [
  {
    name: 'registry killed (kill -9), away for 5 s',
    aim: 'none',
    short: true,
    async run(kiln, random) {
      const ids = await Promise.all([1, 1, 1].map((seconds) => kiln.submit(kiln.request({ seconds }))));
      await sleep(random.int(200, 2500));
      await kiln.registry.kill();
      await sleep(5000);
      await kiln.registry.start();
      await kiln.ended(ids, 150_000);
      await requireSuccess(kiln, ids);
      return undefined;
    },
  },
  inAMood('answers 503 for 6 s', { kind: 'status', status: 503 }),
  inAMood('answers 429 with Retry-After for 6 s', { kind: 'status', status: 429, retryAfter: '1' }),
  inAMood('takes 3 s for each answer, for 6 s', { kind: 'slow', ms: 3000 }),
  inAMood('cuts each answer after 100 bytes, for 6 s', { kind: 'cut', afterBytes: 100 }),
  inAMood('takes requests and says nothing, for 6 s, then breaks their connections', { kind: 'silent' }),
  // What it gave is not what was asked for: a build may rightly end for it, but no tag may point to it.
  inAMood('gives other bytes than it was asked for, for 6 s', { kind: 'lying' }, { mayFail: true }),
];
