import { describeFault, Fault, liveStates } from '@kiln/schemas';
import { and, eq, inArray, lt, type SQL, sql } from 'drizzle-orm';
import { cancelledError } from './cancel-build.ts';
import { type Database } from './database.ts';
import { moveBuild } from './move-build.ts';
import { announce, announceBuild, announceRegistration } from './outbox.ts';
import { builds } from './tables/builds.ts';
import { images } from './tables/images.ts';

/** Attempts that a build has in all: the first and two more, after infrastructure faults only. */
export const attemptsMax = 3;

// One round never takes more than this; the next is a second away.
const batch = 200;

const find = (db: Database, where: SQL | undefined) => db.select().from(builds).where(where).limit(batch);

/** Runs `work` unless another process is in the middle of it; at most one sweeper works at a time. */
export const asOnlySweeper = (db: Database, work: () => Promise<void>): Promise<boolean> =>
  db.transaction(async (tx) => {
    const { rows } = await tx.execute<{ got: boolean }>(sql`SELECT pg_try_advisory_xact_lock(7311866) AS got`);
    if (!rows[0]?.got) return false;
    await work();
    return true;
  });

/** Leases that ran out: a build asked to cancel ends so; others go back to the queue while attempts are left. */
export async function sweepExpiredLeases(db: Database, backoffMs: (attempt: number) => number): Promise<number> {
  const expired = lt(builds.leaseUntil, sql`now()`);
  const found = await find(
    db,
    and(inArray(builds.state, ['assigned', 'running', 'publishing', 'cancelling']), expired),
  );
  let moved = 0;
  for (const build of found) {
    // The fence that was read goes into the guard: an attempt that renewed its lease meanwhile keeps its build.
    const guard = { id: build.id, from: [build.state], fence: build.fence, when: expired };
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
 * there is not doubled: its id is the same.
 */
export async function sweepUnheard(db: Database, afterSeconds: number): Promise<number> {
  const stale = (column: typeof builds.announcedAt | typeof images.announcedAt) =>
    sql`${column} < now() - make_interval(secs => ${afterSeconds})`;
  return db.transaction(async (tx) => {
    const unheard = await tx
      .update(builds)
      .set({ announcedAt: sql`now()` })
      .where(
        and(
          inArray(
            builds.id,
            sql`(SELECT id FROM builds WHERE state IN ('queued', 'registering') AND not_before <= now()
            AND (lease_until IS NULL OR lease_until < now()) AND ${stale(builds.announcedAt)} LIMIT ${batch} FOR UPDATE SKIP LOCKED)`,
          ),
        ),
      )
      .returning({ id: builds.id, state: builds.state, attempt: builds.attempt });
    for (const { id, state, attempt } of unheard) {
      await announce(tx, state === 'queued' ? announceBuild(id, attempt) : announceRegistration('build', id, attempt));
    }
    const unverified = await tx
      .update(images)
      .set({ announcedAt: sql`now()` })
      .where(
        and(
          inArray(
            images.id,
            sql`(SELECT id FROM images WHERE status IN ('INIT', 'CREATING') AND not_before <= now()
            AND (lease_until IS NULL OR lease_until < now()) AND ${stale(images.announcedAt)} LIMIT ${batch} FOR UPDATE SKIP LOCKED)`,
          ),
        ),
      )
      .returning({ id: images.id, attempt: images.attempt });
    for (const { id, attempt } of unverified) await announce(tx, announceRegistration('image', id, attempt));
    return unheard.length + unverified.length;
  });
}

/** Forgets nonces that can no longer be replayed. */
export const sweepNonces = (db: Database) => db.execute(sql`DELETE FROM request_nonces WHERE expires_at < now()`);

/** How many builds are in each live state. */
export async function countLiveBuilds(db: Database): Promise<Record<string, number>> {
  const rows = await db
    .select({ state: builds.state, n: sql<number>`count(*)::int` })
    .from(builds)
    .where(inArray(builds.state, [...liveStates]))
    .groupBy(builds.state);
  return Object.fromEntries(rows.map((it) => [it.state, it.n]));
}
