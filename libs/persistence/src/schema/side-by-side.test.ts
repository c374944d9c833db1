import { sql } from 'drizzle-orm';
import { claimBuild } from '../builds/build-work.ts';
import { dispatch } from '../scheduling/dispatch.ts';
import { relayOutbox } from '../outbox/outbox.ts';
import { sweepLeases } from '../sweeps/sweep-leases.ts';
import { republishStale } from '../sweeps/sweep-queue.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';

// While Kiln is being upgraded, processes of the version before go on working on the migrated schema. What follows is what
// they write, word for word.
let bench: BuildBench;
beforeAll(async () => {
  bench = await openBuildBench();
});
afterAll(() => bench.close());

const submitted = async (id: string): Promise<void> => {
  await bench.db.execute(sql`
    WITH accepted AS (
      INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, client_token, request_hash, spec,
        registry_auths_sealed, display_name, image_name, registry_connection_id, host, repository, tag, overwrite,
        accessibility, state, phase)
      SELECT ${id}, ${`dlc-${id}`}, ${bench.account.id}, ${bench.account.projectId}, ${bench.account.workspaceId}, ${bench.account.userId},
        NULL, 'h', '{}', NULL, 'd', ${id}, 'cri', 'r', 'a/b', ${id}, false, 'PRIVATE', 'queued', 'wait'
      ON CONFLICT DO NOTHING RETURNING id
    ), event AS (
      INSERT INTO build_events (build_id, state, attempt, message) SELECT id, 'queued', 0, 'accepted' FROM accepted
    ), told AS (
      INSERT INTO outbox (topic, key, payload)
      SELECT 'image-build', ${`${id}-0`}, ${JSON.stringify({ v: 1, buildId: id, attempt: 0 })}::jsonb FROM accepted
    )
    SELECT id FROM accepted`);
};
const claimed = async (id: string): Promise<void> => {
  await bench.db.execute(sql`
    UPDATE builds SET state = 'assigned', phase = 'prepare', attempt = attempt + 1, fence = nextval('fences'), worker = 'old',
      lease_until = now() + interval '15 s', started_at = coalesce(started_at, now()), updated_at = now()
    WHERE id = ${id} AND attempt = 0 AND state = 'queued' AND not_before <= now()`);
  await bench.db.execute(sql`
    INSERT INTO build_attempts (build_id, attempt, fence, worker) SELECT id, attempt, fence, worker FROM builds WHERE id = ${id}`);
};

it('takes what an old api announced by itself, and does not need to admit it', async () => {
  await submitted('old-1');
  const payloads: unknown[] = [];
  await relayOutbox(bench.db, 100, (rows) => Promise.resolve(void payloads.push(...rows.map((it) => it.payload))));
  expect(payloads).toEqual([{ v: 1, buildId: 'old-1', attempt: 0 }]);
  expect(await claimBuild(bench.db, 'old-1', 0, 'new')).toMatchObject({
    state: 'assigned',
    lane: 'normal',
    failures: 0,
  });
  expect(await dispatch(bench.db, { runningMax: 0 })).toBe(0);
});

it('leaves a build with an old builder, which has no session, until its lease has run out', async () => {
  await submitted('old-2');
  await claimed('old-2');
  const policy = { attemptsMax: 3, crashesMax: 2 };
  expect(await sweepLeases(bench.db, [], policy)).toEqual([]);
  await bench.expireLease('old-2');
  expect(await sweepLeases(bench.db, [], policy)).toEqual(['old-2']);
  expect(await bench.stateOf('old-2')).toBe('queued');
});

it('takes on a build that an old sweeper put back into the queue', async () => {
  await submitted('old-3');
  await claimed('old-3');
  await bench.db.execute(sql`
    UPDATE builds SET state = 'queued', updated_at = now(), lease_until = NULL, worker = NULL, phase = 'wait', not_before = now(),
      announced_at = now() WHERE id = 'old-3'`);
  await bench.db.execute(sql`
    INSERT INTO outbox (topic, key, payload) VALUES ('image-build', 'old-3-1', '{"v": 1, "buildId": "old-3", "attempt": 1}')`);
  expect(await republishStale(bench.db, 0)).toBe(0);
  expect(await claimBuild(bench.db, 'old-3', 1, 'new')).toMatchObject({ attempt: 2 });
});

it('writes what an old relay can read: a topic, a key and a payload', async () => {
  await relayOutbox(bench.db, 100, () => Promise.resolve());
  await bench.newBuild();
  await bench.db.execute(sql`UPDATE builds SET admitted_at = now() WHERE state = 'queued'`);
  await republishStale(bench.db, 0);
  const { rows } = await bench.db.execute<{
    topic: string;
    key: string;
    payload: { buildId: string; attempt: number };
  }>(sql`SELECT id::int8 AS id, topic, key, payload FROM outbox`);
  expect(rows.length).toBeGreaterThan(0);
  for (const { topic, key, payload } of rows)
    expect({ topic, key }).toEqual({ topic: 'image-build', key: `${payload.buildId}-${payload.attempt}` });
});
