import { liveStates } from '@kiln/domain';
import { inArray, sql } from 'drizzle-orm';
import { type Database, inTransaction } from '../db/database.ts';
import { tryLock } from '../db/locks.ts';
import { builds } from '../tables/builds.ts';

/** Runs `work` unless another process is in the middle of it; at most one sweeper works at a time. */
export const asOnlySweeper = (db: Database, work: () => Promise<void>): Promise<void> =>
  inTransaction(db, async (tx) => {
    if (await tryLock(tx, 'sweep')) await work();
  });

/**
 * Sums up tallies that count the same, so that reading them stays quick. What they add up to is the same at every
 * moment.
 */
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
