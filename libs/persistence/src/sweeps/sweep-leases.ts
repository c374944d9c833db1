import { Fault, occupyingStates } from '@kiln/domain';
import { and, eq, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { cancelledError } from '../builds/cancel-build.ts';
import { type Database, inTransaction } from '../db/database.ts';
import { requeueOrFail, type Interruption, type RetryPolicy } from '../builds/requeue-or-fail.ts';
import { moveBuild } from '../builds/move-build.ts';
import type { Build } from '../tables/builds.ts';
import { announce, announceRegistration } from '../outbox/outbox.ts';
import { builds } from '../tables/builds.ts';
import { images } from '../tables/images.ts';
import { atOnce } from '../tables/moment.ts';
import { liveWorkerNumbers } from '../workers/worker-session.ts';

// A build that was asked to stop between two holders has no lease at all.
const hasExpired = or(
  lt(builds.leaseUntil, sql`now()`),
  and(eq(builds.state, 'cancelling'), isNull(builds.leaseUntil)),
);
const isOccupying = inArray(builds.state, [...occupyingStates]);

/** Statements that find what is held under a lease that ran out. */
export const expiredLeases: SQL[] = [
  sql`SELECT 1 FROM ${builds} WHERE ${isOccupying} AND ${hasExpired}`,
  sql`SELECT 1 FROM ${builds} WHERE ${builds.state} = 'registering' AND ${builds.leaseUntil} < now()`,
  sql`SELECT 1 FROM ${images} WHERE ${images.pending} AND ${images.leaseUntil} < now()`,
];

/** A statement that gives the names of workers that hold something under a lease. */
export const leaseHolders: SQL = sql`
  SELECT ${builds.worker} FROM ${builds} WHERE ${isOccupying}
  UNION SELECT ${builds.worker} FROM ${builds} WHERE ${builds.state} = 'registering' AND ${builds.leaseUntil} IS NOT NULL
  UNION SELECT ${images.worker} FROM ${images} WHERE ${images.pending} AND ${images.leaseUntil} IS NOT NULL`;

/** Looked at once more with the change: what was seen of a worker may be old by then. */
const isDead = (worker: PgColumn, dead: readonly string[]) =>
  and(
    inArray(worker, [...dead]),
    sql`${worker} NOT IN (SELECT name FROM workers WHERE number IN (${liveWorkerNumbers}))`,
  );

// One round never takes more than this; the next is a moment away.
const batch = 500;

/**
 * Builds whose worker died, or whose lease ran out: one that was asked to cancel ends so; others go back to the waiting
 * room while attempts are left.
 * @param dead names of the workers that are known to be dead: their leases are over at once
 * @returns ids of the builds that were taken from their worker
 */
export async function sweepLeases(db: Database, dead: readonly string[], policy: RetryPolicy): Promise<string[]> {
  const over = or(hasExpired, isDead(builds.worker, dead));
  const found = await db
    .select()
    .from(builds)
    .where(and(isOccupying, over))
    .limit(batch)
    // Whoever is writing to it just now may hang; it must not hang the sweeper, too.
    .for('update', { skipLocked: true });
  const taken: string[] = [];
  for (const build of found) {
    const crashed = build.worker !== null && dead.includes(build.worker);
    if (await takeAway(db, build, crashed ? 'crashed' : 'lost', policy, over)) taken.push(build.id);
  }
  return taken;
}

// The fence that was read goes into the guard, and the lease once more: an attempt that renewed it meanwhile keeps its
// build.
async function takeAway(
  db: Database,
  build: Build,
  how: Interruption,
  policy: RetryPolicy,
  over: ReturnType<typeof or>,
): Promise<boolean> {
  const when = over ? { when: over } : {};
  if (build.state === 'cancelling') {
    const ended = await moveBuild(db, {
      id: build.id,
      fence: build.fence,
      from: ['cancelling'],
      to: 'cancelled',
      message: 'stopped on request; its worker had gone',
      set: { error: cancelledError(build.phase, build.attempt) },
      ...when,
    });
    return ended !== undefined;
  }
  const worker = `worker ${build.worker ?? '?'}`;
  const until = build.leaseUntil?.toISOString() ?? 'a time unknown';
  const message =
    how === 'crashed' ? `${worker} died` : `${worker} stopped renewing its lease, which ran until ${until}`;
  return (await requeueOrFail(db, build, how, new Fault('LeaseLost', message), policy, over)) !== undefined;
}

/** Registrations whose registrar died or let the lease run out are announced anew. */
export const sweepRegistrations = (db: Database, dead: readonly string[]): Promise<number> =>
  inTransaction(db, async (tx) => {
    const free = { leaseUntil: null, worker: null, notBefore: atOnce, announcedAt: sql`now()` };
    const [ofBuild, ofImage] = [builds, images].map((it) =>
      and(isNotNull(it.leaseUntil), or(lt(it.leaseUntil, sql`now()`), isDead(it.worker, dead))),
    );
    const freedBuilds = await tx
      .update(builds)
      .set(free)
      .where(and(eq(builds.state, 'registering'), ofBuild))
      .returning({ id: builds.id, attempt: builds.attempt });
    const freedImages = await tx
      .update(images)
      .set(free)
      .where(and(eq(images.pending, true), ofImage))
      .returning({ id: images.id, attempt: images.attempt });
    await announce(
      tx,
      ...freedBuilds.map((it) => announceRegistration('build', it.id, it.attempt)),
      ...freedImages.map((it) => announceRegistration('image', it.id, it.attempt)),
    );
    return freedBuilds.length + freedImages.length;
  });
