import { backoffMs, metrics, timings } from '@kiln/kit';
import { attemptStates, describeFault, Fault } from '@kiln/domain';
import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { moveBuild } from './move-build.ts';
import type { Build } from '../tables/builds.ts';

/** How often a build is tried; kept in PostgreSQL with the build, never in the queue. */
export interface RetryPolicy {
  /** Attempts that may end by no fault of the build, in all. */
  attemptsMax: number;
  /** Workers that a build may take with it before it is put away. */
  crashesMax: number;
}

/** How an attempt ended that was not the build's own fault. */
export type Interruption =
  /** Its worker died. */
  | 'crashed'
  /** Its worker lives, but could not renew the lease. */
  | 'lost'
  /** Trouble of the builder's own: disk, engine, what it cannot explain. */
  | 'infra'
  /** Its worker is shutting down; this counts as nothing. */
  | 'drained';

const outcomes: Record<Interruption, string> = {
  crashed: 'worker died',
  lost: 'lease lost',
  infra: 'interrupted',
  drained: 'handed back',
};

/** Workers that died with a build. One that was seen again afterwards had only lost its connection. */
async function countDeadWorkers(db: Database, buildId: string): Promise<number> {
  const { rows } = await db.execute<{ n: number }>(sql`
    SELECT count(*)::int AS n FROM build_attempts a LEFT JOIN workers w ON w.name = a.worker
    WHERE a.build_id = ${buildId} AND a.outcome = ${outcomes.crashed}
      AND (w.seen_at IS NULL OR w.seen_at <= a.ended_at)`);
  return rows[0]?.n ?? 0;
}

/**
 * Ends an attempt that was interrupted: the build goes back to the pending queue while it has attempts left, and
 * otherwise ends. A build whose worker died may have killed it: after a second one it is put into quarantine, and only
 * an operator lets it out.
 * @param when further conditions of the move, e.g. that the lease has run out
 * @returns what became of the build; undefined when the attempt did not hold it any more
 */
export async function requeueOrFail(
  db: Database,
  build: Build,
  interruption: Interruption,
  fault: Fault,
  policy: RetryPolicy,
  when?: SQL,
): Promise<'queued' | 'failed' | 'quarantined' | undefined> {
  const failures = build.failures + (interruption === 'drained' ? 0 : 1);
  const crashes = interruption === 'crashed' ? (await countDeadWorkers(db, build.id)) + 1 : 0;
  const poison = interruption === 'crashed' && crashes >= policy.crashesMax;
  const spent = interruption !== 'drained' && failures >= policy.attemptsMax;
  const move = {
    id: build.id,
    fence: build.fence,
    from: attemptStates,
    outcome: outcomes[interruption],
    ...(when ? { when } : {}),
  };
  if (!poison && !spent) {
    const again = await moveBuild(db, {
      ...move,
      to: 'queued',
      message: fault.message,
      set: { failures },
      // What had nothing to do with the builder's own state may start again at once.
      delayMs: interruption === 'infra' ? backoffMs(failures, timings.attemptPauseMs, timings.attemptPauseMaxMs) : 0,
    });
    if (again) metrics.attemptsInterrupted.inc({ why: interruption });
    return again && 'queued';
  }
  const last = poison
    ? new Fault(
        'BuildQuarantined',
        `${crashes} workers died while they ran this build, which is now in quarantine; the last: ${fault.message}`,
        { hint: 'an operator can look at it with "admin quarantine list" and let it run again' },
      )
    : new Fault(fault.code, `${fault.message}; no attempts are left`, fault.details, fault.cause);
  const ended = await moveBuild(db, {
    ...move,
    to: 'failed',
    message: last.message,
    set: {
      failures,
      error: describeFault(last, build.phase, build.attempt),
      ...(poison ? { quarantinedAt: new Date() } : {}),
    },
  });
  if (ended) metrics.attemptsInterrupted.inc({ why: interruption });
  return ended && (poison ? 'quarantined' : 'failed');
}
