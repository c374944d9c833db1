import { randomUUID } from 'node:crypto';
import { Fault } from '@kiln/domain';
import { Secret } from '@kiln/kit';
import { sql } from 'drizzle-orm';
import { claimBuild } from '../builds/build-work.ts';
import { loadBuild } from '../builds/build-queries.ts';
import { requeueOrFail } from '../builds/requeue-or-fail.ts';
import { placeAnew, republishStale } from '../sweeps/sweep-queue.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';
import { openCacheDirectory } from '../workers/worker-caches.ts';
import { forgetOldWorkers, openWorkerSession, type WorkerSession } from '../workers/worker-session.ts';
import { dispatch as dispatchOf, listQueueBuilders } from './dispatch.ts';
import { placeInLine, readQueueSnapshot } from './place-in-line.ts';

let bench: BuildBench;
const sessions: WorkerSession[] = [];
beforeEach(async () => {
  bench = await openBuildBench();
});
afterEach(async () => {
  for (const it of sessions.splice(0)) await it.close();
  await bench.close();
});

const dispatch = () => dispatchOf(bench.db, { runningMax: 0 });
const builder = async (slots = 1, pool = '') => {
  const name = `w-${randomUUID()}`;
  const session = openWorkerSession(new Secret(bench.url), { name, app: 'builder', slots, pool }, () => undefined);
  await session.renew([]);
  sessions.push(session);
  return { name, session };
};
const rows = async <T extends Record<string, unknown>>(query: ReturnType<typeof sql>) =>
  (await bench.db.execute<T>(query)).rows;
const placementOf = async (id: string) => (await loadBuild(bench.db, id))?.placement;
/** Builders that the outbox names, for each announcement of a build. */
const toldOf = async (id: string) =>
  (
    await rows<{ builder: string | null }>(
      sql`SELECT payload->>'builder' AS builder FROM outbox WHERE payload->>'buildId' = ${id} ORDER BY outbox.id`,
    )
  ).map((it) => it.builder);
/** The builder has built what the build begins with. */
const hasCache = async (name: string, buildId: string) => {
  const build = await loadBuild(bench.db, buildId);
  if (!build) throw new Error('no such build');
  await openCacheDirectory(bench.db, name).add(build);
};
/** Earlier builds of the account: a part of the difference is what waiting is worth. */
const took = (warm: number, cold: number) =>
  bench.db.execute(sql`INSERT INTO account_turns (account_id, pool, finish_tag, warm_seconds, cold_seconds)
    VALUES (${bench.account.id}, '', 0, ${warm}, ${cold})`);

it('sends a build where its account’s cache is, and tells that builder alone', async () => {
  const all = [await builder(), await builder(), await builder()];
  for (const { name } of all) {
    await bench.db.execute(sql`DELETE FROM worker_caches`);
    const { id } = await bench.newBuild();
    await hasCache(name, id);
    expect(await dispatch()).toBe(1);
    expect(await placementOf(id)).toEqual({ on: name, why: 'warm', heldMs: 0, own: true });
    expect(await toldOf(id)).toEqual([name]);
    const claimed = await claimBuild(bench.db, id, 0, name);
    expect(claimed).toMatchObject({ worker: name });
  }
  const attempts = await rows<{ why: string }>(sql`SELECT placement->>'why' AS why FROM build_attempts`);
  expect(attempts.map((it) => it.why)).toEqual(['warm', 'warm', 'warm']);
});

it('holds a build back while that builder is busy, and no longer than the cache is worth', async () => {
  const [warm, other] = [await builder(), await builder()];
  await took(5, 15);
  const first = await bench.newBuild();
  await hasCache(warm.name, first.id);
  await dispatch();
  const second = await bench.newBuild();
  expect(await dispatch()).toBe(0);
  const held = (await loadBuild(bench.db, second.id))?.heldAt;
  expect(held).toBeInstanceOf(Date);
  const build = await loadBuild(bench.db, second.id);
  if (!build) throw new Error('it was not accepted');
  const line = await readQueueSnapshot(bench.db, '', { runningMax: 0 });
  expect(placeInLine(line, build, 0, new Date())).toMatchObject({ reason: 'HeldForCache', ahead: 0 });
  // Its turn came once.
  expect(await dispatch()).toBe(0);
  expect((await loadBuild(bench.db, second.id))?.heldAt).toEqual(held);
  // What is held back costs nothing.
  const [turn] = await rows<{ tag: number }>(sql`SELECT finish_tag AS tag FROM account_turns`);
  expect(turn?.tag).toBe(1);
  await bench.db.execute(sql`UPDATE builds SET held_at = now() - interval '3.1 s' WHERE id = ${second.id}`);
  expect(await dispatch()).toBe(1);
  const placement = await placementOf(second.id);
  expect(placement).toMatchObject({ on: other.name, why: 'spilled' });
  expect(placement?.heldMs).toBeGreaterThan(3000);
  expect(await placementOf(first.id)).toMatchObject({ on: warm.name });
});

it('means a build for another builder when the first does not come for it', async () => {
  const [warm, other] = [await builder(), await builder()];
  const { id } = await bench.newBuild();
  await hasCache(warm.name, id);
  await dispatch();
  const late = () =>
    bench.db.execute(sql`UPDATE builds SET announced_at = now() - interval '5 s', not_before = now() - interval '5 s'`);
  expect(await placeAnew(bench.db, 4)).toBe(0);
  await late();
  expect(await placeAnew(bench.db, 4)).toBe(1);
  // It is the dispatcher's again, and nobody else is told of it.
  expect(await republishStale(bench.db, 0)).toBe(0);
  expect(await dispatch()).toBe(1);
  expect(await placementOf(id)).toMatchObject({ on: other.name, why: 'cold' });
  expect(await toldOf(id)).toEqual([warm.name, other.name]);
  // The next time takes twice as long.
  await late();
  expect(await placeAnew(bench.db, 4)).toBe(0);
  // Whoever claims it first has it.
  expect(await claimBuild(bench.db, id, 0, warm.name)).toMatchObject({ worker: warm.name });
  expect(await rows(sql`SELECT worker, placement FROM build_attempts`)).toEqual([
    { worker: warm.name, placement: null },
  ]);
});

it('means a build for another builder at once when the first is gone or takes nothing new', async () => {
  const [warm, other] = [await builder(), await builder()];
  const { id } = await bench.newBuild();
  await hasCache(warm.name, id);
  await dispatch();
  expect(await placeAnew(bench.db, 4)).toBe(0);
  // Not because Redis has lost the job: the same builder is told again.
  expect(await republishStale(bench.db, 0)).toBe(1);
  expect(await toldOf(id)).toEqual([warm.name, warm.name]);
  await warm.session.drain();
  expect(await placeAnew(bench.db, 4)).toBe(1);
  expect(await dispatch()).toBe(1);
  expect(await placementOf(id)).toMatchObject({ on: other.name, why: 'cold' });
});

it('tries a build that a builder was in trouble with on another one', async () => {
  const [warm, other] = [await builder(), await builder()];
  const { id } = await bench.newBuild();
  await hasCache(warm.name, id);
  await dispatch();
  const build = await claimBuild(bench.db, id, 0, warm.name);
  if (!build) throw new Error('not claimed');
  const fault = new Fault('EngineFailed', 'no disk');
  await requeueOrFail(bench.db, build, 'infra', fault, { attemptsMax: 3, crashesMax: 2 });
  await bench.db.execute(sql`UPDATE builds SET not_before = now()`);
  expect(await dispatch()).toBe(1);
  expect(await placementOf(id)).toMatchObject({ on: other.name });
});

it('counts a slot for what is meant for a builder, and of the pool for what is meant for one that is gone', async () => {
  const [one, two] = [await builder(), await builder()];
  const first = await bench.newBuild();
  await hasCache(one.name, first.id);
  await dispatch();
  await bench.newBuild();
  expect(await dispatch()).toBe(1);
  const places = await rows<{ on: string }>(sql`SELECT placement->>'on' AS on FROM builds`);
  expect(places.map((it) => it.on).sort()).toEqual([one.name, two.name].sort());
  await bench.newBuild();
  expect(await dispatch()).toBe(0);
  // Its build may come back at any moment: the slot of the third builder is for that.
  await one.session.drain();
  await builder();
  expect(await dispatch()).toBe(0);
});

it('tells builds of an account apart by what they begin with', async () => {
  const [one, two] = [await builder(2), await builder(2)];
  const first = await bench.newBuild({ dockerfile: 'FROM a\nRUN one\nRUN x\n' });
  await dispatch();
  const place = (await placementOf(first.id))?.on ?? '';
  const build = await claimBuild(bench.db, first.id, 0, place);
  if (!build) throw new Error('not claimed');
  const directory = openCacheDirectory(bench.db, place);
  await directory.add(build);
  const next = async (dockerfile: string) => {
    const { id } = await bench.newBuild({ dockerfile });
    await dispatch();
    return placementOf(id);
  };
  expect(await next('FROM a\nRUN one\nRUN y\n')).toMatchObject({ on: place, why: 'warm' });
  // Where the account is known, no slot is free any more; what is new waits for none.
  const other = place === one.name ? two.name : one.name;
  expect(await next('FROM a\nRUN two\n')).toMatchObject({ on: other, why: 'cold' });
  // A key each, of which the first ones are forgotten.
  for (let n = 0; n < 201; n += 1) await directory.add({ accountId: 'many', cacheKey: String(n) });
  const keys = await rows<{ n: number }>(sql`SELECT count(*)::int AS n FROM worker_caches WHERE account_id = 'many'`);
  expect(keys[0]?.n).toBe(200);
});

it('needs no queue of its own for a builder that is alone in its pool', async () => {
  const alone = await builder(2);
  await builder(1, 'gpu');
  expect(await listQueueBuilders(bench.db)).toEqual([]);
  const { id } = await bench.newBuild();
  await dispatch();
  expect(await toldOf(id)).toEqual([null]);
  expect(await placementOf(id)).toEqual({ on: alone.name, why: 'cold', heldMs: 0, own: false });
});

it('follows what a builder keeps, and forgets those that are gone', async () => {
  const { name, session } = await builder();
  const directory = openCacheDirectory(bench.db, name);
  const kept = async () =>
    (await rows<{ account_id: string }>(sql`SELECT account_id FROM worker_caches ORDER BY 1`)).map((it) => it.account_id);
  await directory.set(['a', 'b']);
  await directory.add({ accountId: 'c', cacheKey: 'k' });
  expect(await kept()).toEqual(['a', 'b', 'c']);
  await directory.set(['b']);
  expect(await kept()).toEqual(['b']);
  await directory.set([]);
  expect(await kept()).toEqual([]);
  await directory.set(['d']);
  await session.close();
  sessions.splice(0);
  await bench.db.execute(sql`UPDATE workers SET seen_at = now() - interval '2 days'`);
  expect(await forgetOldWorkers(bench.db)).toEqual([{ name, pool: '', app: 'builder' }]);
  expect(await kept()).toEqual([]);
}); // prettier-ignore
