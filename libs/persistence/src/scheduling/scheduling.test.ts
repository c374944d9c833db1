import { randomUUID } from 'node:crypto';
import { Secret } from '@kiln/kit';
import { type Lane, ageingSeconds, byLaneAndAge, chooseNext, type Contender } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { claimBuild } from '../builds/build-work.ts';
import { countOwnAhead, readQueueSnapshot, placeInLine } from './place-in-line.ts';
import { countUse, putAccountLimits } from './limits.ts';
import { dispatch } from './dispatch.ts';
import { loadBuild } from '../builds/build-queries.ts';
import { moveBuild } from '../builds/move-build.ts';
import { openWorkerSession, type WorkerSession } from '../workers/worker-session.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';

const contender = (
  accountId: string,
  waiting: number,
  change: Partial<Contender> = {},
  lane: Lane = 'normal',
): Contender => ({
  accountId,
  weight: 1,
  runningMax: Infinity,
  running: 0,
  finishTag: 0,
  knownOn: new Set(),
  took: { warm: undefined, cold: undefined },
  waiting: Array.from({ length: waiting }, (_, n) => ({
    id: `${accountId}-${n}`,
    lane,
    waitedSeconds: waiting - n,
    warmOn: new Set(),
  })),
  ...change,
});
const ids = (contenders: Contender[], free: number, time = 0) =>
  chooseNext(contenders, new Map([['w', { name: 'w', slots: free, free }]]), free, time).chosen.map(
    (it) => it.build.id,
  );

describe('the choice', () => {
  it('takes accounts in turn, each in its own order', () => {
    expect(ids([contender('a', 5), contender('b', 2)], 5)).toEqual(['a-0', 'b-0', 'a-1', 'b-1', 'a-2']);
  });

  it('gives a weight its share', () => {
    const chosen = ids([contender('a', 90), contender('b', 90, { weight: 2 })], 60);
    expect(chosen.filter((it) => it.startsWith('b')).length).toBe(40);
  });

  it('lets one who was idle in at once, and pays nobody for having been idle', () => {
    const busy = contender('a', 9, { finishTag: 100 });
    expect(ids([busy, contender('b', 9, { finishTag: 3 })], 6, 99)).toEqual(['b-0', 'a-0', 'b-1', 'a-1', 'b-2', 'a-2']);
  });

  it('stops at an account’s limit', () => {
    expect(ids([contender('a', 9, { runningMax: 3, running: 1 }), contender('b', 1)], 9)).toEqual([
      'a-0',
      'b-0',
      'a-1',
    ]);
  });

  it('serves a flood and a first build alike, whatever lane the flood is in', () => {
    const flood = contender('flood', 1000, { finishTag: 57 }, 'interactive');
    expect(ids([flood, contender('small', 1, {}, 'bulk')], 3, 56)).toContain('small-0');
  });

  it('puts the lanes of an account in order, and lets what waits long move up', () => {
    const at = (lane: Lane, waitedSeconds: number) => ({
      id: `${lane}-${waitedSeconds}`,
      lane,
      waitedSeconds,
      warmOn: new Set<string>(),
    });
    const order = [
      at('bulk', 9),
      at('normal', 1),
      at('interactive', 0),
      at('bulk', ageingSeconds * 2),
      at('normal', 5),
    ].sort(byLaneAndAge);
    expect(order.map((it) => it.id)).toEqual([
      `bulk-${ageingSeconds * 2}`,
      'interactive-0',
      'normal-5',
      'normal-1',
      'bulk-9',
    ]);
  });
});

describe('the dispatcher', () => {
  let bench: BuildBench;
  const sessions: WorkerSession[] = [];
  const defaults = { runningMax: 0, waitingMax: 0, dailyMax: 0, imagesMax: 0 };
  beforeEach(async () => {
    bench = await openBuildBench();
  });
  afterEach(async () => {
    for (const it of sessions.splice(0)) await it.close();
    await bench.close();
  });
  const builder = async (slots: number, pool = '') => {
    const name = `w-${randomUUID()}`;
    const session = openWorkerSession(new Secret(bench.url), { name, app: 'builder', slots, pool }, () => undefined);
    await session.renew([]);
    sessions.push(session);
    return { name, session };
  };
  const admitted = async (): Promise<string[]> => {
    const { rows } = await bench.db.execute<{ id: string }>(
      sql`SELECT id FROM builds WHERE admitted_at IS NOT NULL ORDER BY announced_at, id`,
    );
    return rows.map((it) => it.id);
  };

  it('admits as many as there are free slots, announces each, and goes on as slots become free', async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await bench.newBuild()).id);
    expect(await dispatch(bench.db, defaults)).toBe(0); // no builder
    const { name, session } = await builder(2);
    expect(await dispatch(bench.db, defaults)).toBe(2);
    expect(await dispatch(bench.db, defaults)).toBe(0);
    expect(await admitted()).toEqual(made.slice(0, 2));
    const { rows } = await bench.db.execute(sql`SELECT payload->>'buildId' AS id FROM outbox ORDER BY id`);
    expect(rows.map((it) => it['id'])).toEqual(made.slice(0, 2));

    const build = await claimBuild(bench.db, made[0] ?? '', 0, name);
    expect(await dispatch(bench.db, defaults)).toBe(0);
    await moveBuild(bench.db, { id: build?.id ?? '', from: ['assigned'], to: 'failed', message: 'x' });
    expect(await dispatch(bench.db, defaults)).toBe(1);
    await session.drain();
    await bench.db.execute(sql`UPDATE builds SET state = 'cancelled' WHERE id = ${made[1] ?? ''}`);
    expect(await dispatch(bench.db, defaults)).toBe(0); // its builder takes no more
  });

  it('gives each pool of builders its own builds, and an account its limit over all of them', async () => {
    const common = [(await bench.newBuild()).id, (await bench.newBuild()).id];
    const pooled = [(await bench.newBuild({ pool: 'gpu' })).id, (await bench.newBuild({ pool: 'gpu' })).id];
    const { name } = await builder(1, 'gpu');
    expect(await dispatch(bench.db, defaults)).toBe(1);
    expect(await admitted()).toEqual(pooled.slice(0, 1));
    const { rows } = await bench.db.execute(sql`SELECT payload FROM outbox`);
    expect(rows).toEqual([{ payload: { v: 1, buildId: pooled[0], attempt: 0, pool: 'gpu' } }]);
    expect(await claimBuild(bench.db, pooled[0] ?? '', 0, name)).toBeUndefined();
    expect(await claimBuild(bench.db, pooled[0] ?? '', 0, name, 'gpu')).toMatchObject({ state: 'assigned' });

    const build = await loadBuild(bench.db, common[1] ?? '');
    if (!build) throw new Error('it was not accepted');
    const place = async (pool: string) =>
      placeInLine(
        await readQueueSnapshot(bench.db, pool, defaults),
        build,
        await countOwnAhead(bench.db, build),
        new Date(),
      );
    expect(await place('')).toMatchObject({ reason: 'NoBuilder', ahead: 1 });
    expect(await place('gpu')).toMatchObject({ reason: 'SlotsBusy' });
    await builder(4);
    expect(await dispatch(bench.db, { ...defaults, runningMax: 2 })).toBe(1);
    expect(await admitted()).toEqual([pooled[0], common[0]]);
  });

  it('takes turns in each pool for itself, whatever goes on in another', async () => {
    const { name } = await builder(1);
    const other = await builder(1, 'gpu');
    for (let n = 0; n < 12; n += 1) await bench.newBuild({ accountId: 'many' });
    const { id: late } = await bench.newBuild({ accountId: 'one' });
    for (let n = 0; n < 12; n += 1) await bench.newBuild({ accountId: 'busy', pool: 'gpu' });
    let rounds = 0;
    for (; rounds < 12; rounds += 1) {
      await dispatch(bench.db, defaults);
      const next = (await admitted()).slice(-2);
      for (const id of next) {
        const build = await loadBuild(bench.db, id);
        if (build?.state !== 'queued') continue;
        await claimBuild(bench.db, id, 0, build.pool === 'gpu' ? other.name : name, build.pool);
        await moveBuild(bench.db, { id, from: ['assigned'], to: 'failed', message: 'x' });
      }
      if (next.includes(late)) break;
    }
    expect(rounds).toBeLessThanOrEqual(2);
  });

  it('lets nobody wait behind 100,000 builds of another account', async () => {
    await bench.db.execute(sql`
      INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, request_hash, request, display_name, image_name,
        registry_connection_id, host, repository, tag, overwrite, accessibility, lane, state, phase)
      SELECT 'flood-' || n, 'dlc-flood-' || n, 'flood', 'p', 'w', 'u', 'h', '{}', 'd', 'flood-' || n, 'c', 'h', 'r', 't' || n, false,
        'PRIVATE', 'interactive', 'queued', 'wait' FROM generate_series(1, 100000) n`);
    await bench.db.execute(sql`ANALYZE builds`);
    const { name } = await builder(4);
    expect(await dispatch(bench.db, defaults)).toBe(4);
    const small: string[] = [];
    for (let n = 0; n < 20; n += 1) small.push((await bench.newBuild({ accountId: `small-${n}`, lane: 'bulk' })).id);
    let served = 0;
    for (let ended = 0; ended < 24; ended += 1) {
      const [first] = (
        await bench.db.execute<{ id: string }>(
          sql`SELECT id FROM builds WHERE state = 'queued' AND admitted_at IS NOT NULL ORDER BY admitted_at LIMIT 1`,
        )
      ).rows;
      await claimBuild(bench.db, first?.id ?? '', 0, name);
      await moveBuild(bench.db, { id: first?.id ?? '', from: ['assigned'], to: 'failed', message: 'x' });
      expect(await dispatch(bench.db, defaults)).toBe(1);
      served += 1;
      const left = await bench.db.execute(
        sql`SELECT 1 FROM builds WHERE id = ANY(${`{${small.join(',')}}`}::text[]) AND admitted_at IS NULL`,
      );
      if (left.rows.length === 0) break;
    }
    // One turn each, and the flood's own turn.
    expect(served).toBeLessThanOrEqual(21);
  });

  it('keeps to an account’s limits', async () => {
    await putAccountLimits(bench.db, bench.account.id, { runningMax: 1, waitingMax: 2 });
    const made = [await bench.newBuild(), await bench.newBuild(), await bench.newBuild()];
    const use = (limits = {}) => countUse(bench.db, bench.account.id, { ...defaults, ...limits });
    expect(await use()).toMatchObject({ waiting: 3, waitingMax: 2, daily: 0, images: 0 });
    await putAccountLimits(bench.db, bench.account.id, { dailyMax: 5 });
    const total = await bench.db.execute(sql`SELECT 1 FROM builds`);
    expect(await use({ imagesMax: 9 })).toMatchObject({
      daily: total.rows.length,
      dailyMax: 5,
      // Those that may become some.
      images: 3,
      imagesMax: 9,
    });
    await bench.db.execute(sql`UPDATE builds SET created_at = now() - interval '25 hours'`);
    expect(await use()).toMatchObject({ daily: 0 });
    await builder(8);
    expect(await dispatch(bench.db, defaults)).toBe(1);
    const build = await loadBuild(bench.db, made[1]?.id ?? '');
    if (!build) throw new Error('gone');
    const snapshot = await readQueueSnapshot(bench.db, '', defaults);
    expect(placeInLine(snapshot, build, await countOwnAhead(bench.db, build), new Date())).toMatchObject({
      reason: 'AccountLimit',
      ahead: 0,
    });
  });

  it('lets each choice be made by one dispatcher only', async () => {
    for (let n = 0; n < 12; n += 1) await bench.newBuild();
    await builder(12);
    const done = await Promise.all(Array.from({ length: 6 }, () => dispatch(bench.db, defaults)));
    const rest = (await dispatch(bench.db, defaults)) ?? 0;
    expect(done.reduce<number>((sum, it) => sum + (it ?? 0), rest)).toBe(12);
    const { rows } = await bench.db.execute(sql`SELECT count(*)::int AS n FROM outbox`);
    expect(rows).toEqual([{ n: 12 }]);
  });

  it('tells each build the place in which the dispatcher then takes it', async () => {
    const made: { id: string; accountId: string }[] = [];
    for (const [accountId, lane, n] of [['a', 'normal', 6], ['b', 'bulk', 3], ['b', 'interactive', 1], ['c', 'normal', 2]] as const)
      for (let it = 0; it < n; it += 1) made.push({ id: (await bench.newBuild({ accountId, lane })).id, accountId }); // prettier-ignore
    // The oldest has come up to the first lane by waiting.
    await bench.db.execute(sql`UPDATE builds SET created_at = now() - interval '1 h' WHERE id = ${made[6]?.id ?? ''}`);
    await putAccountLimits(bench.db, 'c', { weight: 2 });
    const { name } = await builder(1);
    const snapshot = await readQueueSnapshot(bench.db, '', defaults);
    const told = new Map<string, number>();
    for (const { id } of made) {
      const build = await loadBuild(bench.db, id);
      if (build) told.set(id, placeInLine(snapshot, build, await countOwnAhead(bench.db, build), new Date()).ahead);
    }
    const order: string[] = [];
    while (order.length < made.length && (await dispatch(bench.db, defaults)) === 1) {
      const [id = ''] = (await admitted()).filter((it) => !order.includes(it));
      order.push(id);
      await claimBuild(bench.db, id, 0, name);
      await moveBuild(bench.db, { id, from: ['assigned'], to: 'failed', message: 'x' });
    }
    expect(order.length).toBe(made.length);
    // Equal turns are told as if the others went first: nobody starts later than told, and at most a turn of each other
    // earlier.
    for (const [place, id] of order.entries()) {
      expect(told.get(id)).toBeGreaterThanOrEqual(place);
      expect((told.get(id) ?? 0) - place).toBeLessThanOrEqual(2);
    }
  });
});
