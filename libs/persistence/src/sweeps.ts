import { describeFault, Fault, liveStates } from '@kiln/schemas';
import { and, eq, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import { cancelledError } from './cancel-build.ts';
import { type Database, inTransaction } from './database.ts';
import { moveBuild } from './move-build.ts';
import { announceBuild } from './outbox.ts';
import { builds } from './tables/builds.ts';

/** Attempts that a build has in all: the first and two more, after infrastructure faults only. */
export const attemptsMax = 3;

// One round never takes more than this; the next is a second away.
const batch = 500;

const find = (db: Database, where: SQL | undefined) => db.select().from(builds).where(where).limit(batch);

/** Runs `work` unless another process is in the middle of it; at most one sweeper works at a time. */
export const asOnlySweeper = (db: Database, work: () => Promise<void>): Promise<boolean> =>
  inTransaction(db, async (tx) => {
    const { rows } = await tx.execute<{ got: boolean }>(sql`SELECT pg_try_advisory_xact_lock(7311866) AS got`);
    if (!rows[0]?.got) return false;
    await work();
    return true;
  });

/** Leases that ran out: a build asked to cancel ends so; others go back to the queue while attempts are left. */
export async function sweepExpiredLeases(db: Database, backoffMs: (attempt: number) => number): Promise<number> {
  // A build that was asked to stop between two holders has no lease at all.
  const expired = or(lt(builds.leaseUntil, sql`now()`), and(eq(builds.state, 'cancelling'), isNull(builds.leaseUntil)));
  const found = await find(
    db,
    and(inArray(builds.state, ['assigned', 'running', 'publishing', 'cancelling']), expired),
  );
  let moved = 0;
  for (const build of found) {
    // The fence that was read goes into the guard: an attempt that renewed its lease meanwhile keeps its build.
    const guard = { id: build.id, from: [build.state], fence: build.fence, ...(expired ? { when: expired } : {}) };
    if (build.cancelRequestedAt) {
      moved += (await moveBuild(db, {
        ...guard,
        to: 'cancelled',
        message: 'stopped on request; its worker had gone',
        set: { error: cancelledError(build.phase, build.attempt) },
      }))
        ? 1
        : 0;
    } else if (build.attempt < attemptsMax) {
      const delayMs = backoffMs(build.attempt);
      const again = await moveBuild(db, {
        ...guard,
        to: 'queued',
        message: `worker ${build.worker ?? '?'} stopped renewing its lease`,
        delayMs,
        announcement: announceBuild(build.id, build.attempt, delayMs),
      });
      moved += again ? 1 : 0;
    } else {
      const fault = new Fault(
        'LeaseLost',
        `worker ${build.worker ?? '?'} stopped renewing its lease; no attempts are left`,
      );
      const failed = await moveBuild(db, {
        ...guard,
        to: 'failed',
        message: fault.message,
        set: { error: describeFault(fault, build.phase, build.attempt) },
      });
      moved += failed ? 1 : 0;
    }
  }
  return moved;
}

export interface Clocks {
  /** How long a build may wait before its first attempt starts. */
  queueSeconds: number;
  /** How long a build may take from the start of its first attempt. */
  runSeconds: number;
}

/** Builds whose clock ran out; each error names the clock. */
export async function sweepClocks(db: Database, clocks: Clocks): Promise<number> {
  let moved = 0;
  const waited = await find(
    db,
    and(
      eq(builds.state, 'queued'),
      eq(builds.attempt, 0),
      sql`${builds.createdAt} < now() - make_interval(secs => ${clocks.queueSeconds})`,
    ),
  );
  for (const { id, phase, attempt } of waited) {
    const fault = new Fault('QueueTimeout', `waited longer than the queue clock allows, ${clocks.queueSeconds} s`);
    const ended = await moveBuild(db, {
      id,
      from: ['queued'],
      to: 'expired',
      message: fault.message,
      set: { error: describeFault(fault, phase, attempt) },
    });
    moved += ended ? 1 : 0;
  }
  const running = ['assigned', 'running', 'publishing', 'registering'] as const;
  const ran = await find(
    db,
    and(
      inArray(builds.state, [...running]),
      sql`${builds.phase} <> 'tag'`,
      sql`${builds.startedAt} < now() - make_interval(secs => ${clocks.runSeconds})`,
    ),
  );
  for (const { id, phase, attempt } of ran) {
    const fault = new Fault('RunTimeout', `ran longer than the total clock allows, ${clocks.runSeconds} s`);
    const ended = await moveBuild(db, {
      id,
      from: running,
      to: 'timed_out',
      when: sql`${builds.phase} <> 'tag'`,
      message: fault.message,
      set: { error: describeFault(fault, phase, attempt) },
    });
    moved += ended ? 1 : 0;
  }
  return moved;
}

/**
 * Tells the queue again of work that is due and that nobody took, since Redis may have lost it. A job that is still
 * there is not doubled: its key is the same. What has waited long is told less often, up to once a minute: most often
 * it waits for a free worker.
 */
export async function sweepUnheard(db: Database, afterSeconds: number): Promise<number> {
  const due = sql`not_before <= now() AND (lease_until IS NULL OR lease_until < now())
    AND announced_at < now() - least(greatest(make_interval(secs => ${afterSeconds}), announced_at - created_at), interval '1 minute')`;
  const heldBuilds = await db.execute(sql`
    WITH told AS (
      UPDATE builds SET announced_at = now() WHERE id IN (
        SELECT id FROM builds WHERE state IN ('queued', 'registering') AND ${due} LIMIT ${batch} FOR UPDATE SKIP LOCKED)
      RETURNING id, state, attempt
    )
    INSERT INTO outbox (topic, key, payload)
    SELECT 'image-build', id || '-' || attempt, jsonb_build_object('v', 1, 'buildId', id, 'attempt', attempt) FROM told WHERE state = 'queued'
    UNION ALL
    SELECT 'image-register', 'build-' || id || '-' || attempt, jsonb_build_object('v', 1, 'kind', 'build', 'id', id, 'attempt', attempt)
    FROM told WHERE state = 'registering'`);
  const heldImages = await db.execute(sql`
    WITH told AS (
      UPDATE images SET announced_at = now() WHERE id IN (
        SELECT id FROM images WHERE pending AND ${due} LIMIT ${batch} FOR UPDATE SKIP LOCKED)
      RETURNING id, attempt
    )
    INSERT INTO outbox (topic, key, payload)
    SELECT 'image-register', 'image-' || id || '-' || attempt, jsonb_build_object('v', 1, 'kind', 'image', 'id', id, 'attempt', attempt) FROM told`);
  return (heldBuilds.rowCount ?? 0) + (heldImages.rowCount ?? 0);
}

/** Sums up tallies that count the same, so that reading them stays quick. What they add up to is the same at every moment. */
export const sweepTallies = (db: Database) =>
  db.execute(sql`
    WITH crowded AS (
      SELECT array_agg(id) AS ids FROM tallies
      GROUP BY list, account_id, workspace_id, user_id, visibility, status, service_type, day
      HAVING count(*) >= ${crowdedAt}
    ), gone AS (
      -- What was really deleted counts: another sweep may have been here in between.
      DELETE FROM tallies WHERE id IN (SELECT unnest(ids) FROM crowded)
      RETURNING list, account_id, workspace_id, user_id, visibility, status, service_type, day, n
    )
    INSERT INTO tallies (list, account_id, workspace_id, user_id, visibility, status, service_type, day, n)
    SELECT list, account_id, workspace_id, user_id, visibility, status, service_type, day, sum(n) FROM gone
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(n) <> 0`);

// Fewer are not worth the writing.
const crowdedAt = 20;

/** Forgets nonces that can no longer be replayed, and tokens that expired a week ago. */
export async function sweepExpired(db: Database): Promise<void> {
  await db.execute(sql`DELETE FROM request_nonces WHERE expires_at < now()`);
  await db.execute(sql`DELETE FROM tokens WHERE expires_at < now() - interval '7 days'`);
}

/** How many builds are in each live state. */
export async function countLiveBuilds(db: Database): Promise<Record<string, number>> {
  const rows = await db
    .select({ state: builds.state, n: sql<number>`count(*)::int` })
    .from(builds)
    .where(inArray(builds.state, [...liveStates]))
    .groupBy(builds.state);
  return Object.fromEntries(rows.map((it) => [it.state, it.n]));
}
