import { eventually } from '@kiln/kit/testing';
import { sql } from 'drizzle-orm';
import { Secret } from '@kiln/kit';
import { announce, announceBuild, relayOutbox } from '../outbox/outbox.ts';
import { claimBuild } from '../builds/build-work.ts';
import { findNeglect } from './neglect.ts';
import { type Clocks, sweepClocks } from './sweep-clocks.ts';
import { openWorkerSession } from '../workers/worker-session.ts';
import { loadBuild } from '../builds/build-queries.ts';
import { requestCancel } from '../builds/cancel-build.ts';
import { sweepLeases, sweepRegistrations } from './sweep-leases.ts';
import { republishStale } from './sweep-queue.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';

let bench: BuildBench;
beforeAll(async () => {
  bench = await openBuildBench();
});
afterAll(() => bench.close());

const policy = { attemptsMax: 3, crashesMax: 2 };
const told = async (): Promise<string[]> => {
  const keys: string[] = [];
  await relayOutbox(bench.db, 10_000, (rows) => Promise.resolve(void keys.push(...rows.map((it) => it.key))));
  return keys.map((it) => it.replace(/-\d+$/, ''));
};

const clocks: Clocks = {
  queueSeconds: 60,
  totalSeconds: 60,
  outputSeconds: 60,
  phaseSeconds: { prepare: 60 },
  tagSeconds: 7200,
};
/** Workers that a sweep would count as dead. */
const dead = async () => (await findNeglect(bench.db, clocks, { missedSeconds: 4, staleSeconds: 1.5 })).dead;

describe('leases', () => {
  it('that ran out give a build back while attempts are left, then fail it; live ones stay', async () => {
    const live = await bench.claimed();
    const dead = await bench.claimed();
    for (let attempt = 1; attempt < policy.attemptsMax; attempt += 1) {
      await bench.expireLease(dead.id);
      expect(await sweepLeases(bench.db, [], policy)).toEqual([dead.id]);
      expect(await loadBuild(bench.db, dead.id)).toMatchObject({ state: 'queued', failures: attempt });
      expect((await claimBuild(bench.db, dead.id, attempt, 'w2'))?.attempt).toBe(attempt + 1);
    }
    await bench.expireLease(dead.id);
    await sweepLeases(bench.db, [], policy);
    expect(await loadBuild(bench.db, dead.id)).toMatchObject({
      state: 'failed',
      error: { code: 'LeaseLost', class: 'infra', attempt: policy.attemptsMax },
    });
    expect(await bench.stateOf(live.id)).toBe('assigned');
  });

  it('of a dead worker are over at once, and too many deaths put a build into quarantine', async () => {
    const build = await bench.claimed();
    expect(await sweepLeases(bench.db, ['w9'], policy)).toEqual([]);
    expect(await sweepLeases(bench.db, ['w1'], policy)).toContain(build.id);
    expect(await loadBuild(bench.db, build.id)).toMatchObject({ state: 'queued', failures: 1, worker: null });
    // One that only lost its connection is seen again, and is no death.
    await bench.db.execute(sql`INSERT INTO workers (name, app, slots) VALUES ('w2', 'builder', 1)`);
    await claimBuild(bench.db, build.id, 1, 'w2');
    await sweepLeases(bench.db, ['w2'], { ...policy, crashesMax: 9 });
    await bench.db.execute(sql`UPDATE workers SET seen_at = now() + interval '1 s' WHERE name = 'w2'`);
    await claimBuild(bench.db, build.id, 2, 'w3');
    await sweepLeases(bench.db, ['w3'], { attemptsMax: 9, crashesMax: 3 });
    expect(await bench.stateOf(build.id)).toBe('queued');
    await claimBuild(bench.db, build.id, 3, 'w4');
    await sweepLeases(bench.db, ['w4'], { attemptsMax: 9, crashesMax: 3 });
    const put = await loadBuild(bench.db, build.id);
    expect(put).toMatchObject({ state: 'failed', error: { code: 'BuildQuarantined', class: 'policy' } });
    expect(put?.quarantinedAt).toBeInstanceOf(Date);
  });

  it('end a cancelled build whose worker has gone', async () => {
    const build = await bench.claimed();
    await requestCancel(bench.db, build.id);
    await bench.expireLease(build.id);
    await sweepLeases(bench.db, [], policy);
    expect(await bench.stateOf(build.id)).toBe('cancelled');
  });

  it('end a build that was asked to stop between two holders', async () => {
    const build = await bench.registering();
    await requestCancel(bench.db, build.id);
    await bench.db.execute(sql`UPDATE builds SET lease_until = NULL WHERE id = ${build.id}`);
    await sweepLeases(bench.db, [], policy);
    expect(await bench.stateOf(build.id)).toBe('cancelled');
  });

  it('of a registration are freed when its registrar died or fell silent, and it is announced anew', async () => {
    await told();
    const [died, silent, live] = [await bench.registering(), await bench.registering(), await bench.registering()];
    await bench.db.execute(sql`UPDATE builds SET worker = 'r2' WHERE id IN (${silent.id}, ${live.id})`);
    await bench.expireLease(silent.id);
    expect(await sweepRegistrations(bench.db, ['r1'])).toBeGreaterThanOrEqual(2);
    const keys = await told();
    expect(keys).toEqual(expect.arrayContaining([`build-${died.id}-1`, `build-${silent.id}-1`]));
    expect(keys).not.toContain(`build-${live.id}-1`);
  });
});

describe('a worker session', () => {
  it('is missed as soon as it ends, renews what its worker holds, and tells what it holds no more', async () => {
    const errors: Error[] = [];
    const session = openWorkerSession(new Secret(bench.url), { name: 'ws', app: 'builder', slots: 1 }, (it) =>
      errors.push(it),
    );
    const { id } = await bench.newBuild();
    const build = await claimBuild(bench.db, id, 0, 'ws');
    if (!build) throw new Error('not claimed');
    await bench.db.execute(sql`UPDATE builds SET lease_until = now() + interval '1 s' WHERE id = ${id}`);
    const claim = { kind: 'build' as const, id, fence: build.fence };
    expect(await session.renew([claim, { ...claim, fence: build.fence + 1 }])).toEqual([
      { id, fence: build.fence, cancelled: false, renewed: true },
    ]);
    const { rows } = await bench.db.execute(
      sql`SELECT lease_until > now() + interval '13 s' AS renewed FROM builds WHERE id = ${id}`,
    );
    expect(rows).toEqual([{ renewed: true }]);
    await requestCancel(bench.db, id);
    expect(await session.renew([claim])).toMatchObject([{ cancelled: true }]);

    expect(await dead()).not.toContain('ws');
    // As when the server drops the connection: the session is back by itself.
    await bench.db.execute(sql`
      SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7311
        AND objid::int = (SELECT number FROM workers WHERE name = 'ws')`);
    await eventually(async () => ((await dead()).includes('ws') ? true : undefined), 'the loss');
    await eventually(async () => ((await dead()).includes('ws') ? undefined : true), 'the return');
    expect(errors.length).toBeGreaterThan(0);
    await session.close();
    await eventually(async () => ((await dead()).includes('ws') ? true : undefined), 'the end');
  });
});

describe('clocks', () => {
  const age = (id: string, column: string) =>
    bench.db.execute(sql`UPDATE builds SET ${sql.raw(column)} = now() - interval '1 h' WHERE id = ${id}`);
  it.each([
    ['created_at', 'queued', 'expired', 'QueueTimeout', 'queue clock'],
    ['started_at', 'assigned', 'timed_out', 'RunTimeout', 'total clock'],
    ['phase_started_at', 'assigned', 'timed_out', 'PhaseTimeout', 'phase prepare'],
    ['output_at', 'running', 'timed_out', 'OutputTimeout', 'output clock'],
  ])('that run out by %s end a build that is %s as %s, and are named', async (column, from, state, code, words) => {
    const { id } = from === 'queued' ? await bench.newBuild() : await bench.claimed();
    if (from === 'running') await bench.db.execute(sql`UPDATE builds SET state = 'running' WHERE id = ${id}`);
    expect(await sweepClocks(bench.db, clocks)).toEqual([]);
    await age(id, column);
    expect(await sweepClocks(bench.db, clocks)).toEqual([id]);
    const ended = await loadBuild(bench.db, id);
    expect(ended).toMatchObject({ state, error: { code } });
    expect(ended?.error?.message).toContain(words);
  });

  it('leave a build past its commit point alone, but for the last one', async () => {
    const build = await bench.registering();
    await bench.db.execute(
      sql`UPDATE builds SET phase = 'tag', started_at = now() - interval '1 h' WHERE id = ${build.id}`,
    );
    expect(await sweepClocks(bench.db, clocks)).toEqual([]);
    await bench.db.execute(sql`UPDATE builds SET phase_started_at = now() - interval '1 day' WHERE id = ${build.id}`);
    expect(await sweepClocks(bench.db, clocks)).toEqual([build.id]);
  });
});

describe('what nobody heard', () => {
  it('is told again, less and less often, and all at once when Redis has forgotten', async () => {
    await told();
    const { id } = await bench.newBuild();
    expect(await republishStale(bench.db, 0)).toBeDefined();
    expect(await told()).not.toContain(`${id}-0`); // it waits in the pending queue
    await bench.db.execute(sql`UPDATE builds SET admitted_at = now(), announced_at = now() WHERE id = ${id}`);
    await republishStale(bench.db, 10);
    expect(await told()).not.toContain(`${id}-0`);
    await republishStale(bench.db, 0);
    expect(await told()).toContain(`${id}-0`);
    const since = (admitted: string, announced: string) =>
      bench.db.execute(
        sql`UPDATE builds SET admitted_at = now() - ${admitted}::interval, announced_at = now() - ${announced}::interval, not_before = now() - interval '1 h' WHERE id = ${id}`,
      );
    await since('20 s', '12 s');
    await republishStale(bench.db, 10);
    expect(await told()).toContain(`${id}-0`);
    await since('100 s', '12 s');
    await republishStale(bench.db, 10);
    expect(await told()).not.toContain(`${id}-0`);
  });
});

describe('the outbox', () => {
  it('keeps what could not be sent, and hands each row to one relay only', async () => {
    await relayOutbox(bench.db, 10_000, () => Promise.resolve());
    const ids: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      ids.push(`some-${n}`);
      await announce(bench.db, announceBuild({ id: `some-${n}`, attempt: 0, pool: '', trace: null }));
    }
    await expect(relayOutbox(bench.db, 100, () => Promise.reject(new Error('redis is away')))).rejects.toThrow(
      'redis is away',
    );
    const sent: string[] = [];
    await Promise.all(
      Array.from({ length: 6 }, () =>
        relayOutbox(bench.db, 10, (rows) => Promise.resolve(void sent.push(...rows.map((it) => it.key)))),
      ),
    );
    await relayOutbox(bench.db, 100, (rows) => Promise.resolve(void sent.push(...rows.map((it) => it.key))));
    expect(sent.map((it) => it.replace(/-\d+$/, '')).sort()).toEqual(ids.map((it) => `${it}-0`).sort());
  });
});
