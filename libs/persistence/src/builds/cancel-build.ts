import { describeFault, Fault } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { moveBuild } from './move-build.ts';
import { builds } from '../tables/builds.ts';

const asked = 'stopped on request';

/** What a cancelled build says of itself. */
export const cancelledError = (phase: (typeof builds.$inferSelect)['phase'], attempt: number) =>
  describeFault(new Fault('Cancelled', asked), phase, attempt);

/** Ends a build that nobody has taken. */
export const cancelQueued = async (db: Database, id: string): Promise<boolean> =>
  (await moveBuild(db, {
    id,
    from: ['queued'],
    to: 'cancelled',
    message: asked,
    set: { error: cancelledError('wait', 0) },
  })) !== undefined;

/**
 * Asks the worker that holds a build to end it. One that waits for its registration, with nobody on it, ends at once.
 * @returns false when the build had ended, was being cancelled already, or has passed its commit point
 */
export async function requestCancel(db: Database, id: string): Promise<boolean> {
  const beforeTag = sql`${builds.phase} <> 'tag'`;
  const unheld = sql`(${builds.leaseUntil} IS NULL OR ${builds.leaseUntil} < now()) AND ${beforeTag}`;
  const idle = await moveBuild(db, {
    id,
    from: ['registering'],
    to: 'cancelled',
    when: unheld,
    message: asked,
    set: { error: cancelledError('verify', 0) },
  });
  if (idle) return true;
  const told = await moveBuild(db, {
    id,
    from: ['assigned', 'running', 'publishing', 'registering'],
    to: 'cancelling',
    when: beforeTag,
    message: 'asked to stop',
  });
  return told !== undefined;
}
