import { sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { deadWorkerNames } from '../workers/worker-session.ts';
import { type Clocks, overrunBuilds } from './sweep-clocks.ts';
import { expiredLeases, leaseHolders } from './sweep-leases.ts';
import { unclaimedWork } from './sweep-queue.ts';

/** What no worker will do. */
export interface Neglect {
  /** Names of workers that hold something and that PostgreSQL does not see. */
  dead: string[];
  /** A lease or a clock ran out, or nobody has claimed what was announced. */
  isAny: boolean;
}

/** For how long work may stay unclaimed, in seconds: by the one builder that was told of it, and by anybody. */
export interface Patience {
  missedSeconds: number;
  staleSeconds: number;
}

/** Asks, in one statement, whether a sweep would find anything. Nearly always it would not. */
export async function findNeglect(db: Executor, clocks: Clocks, patience: Patience): Promise<Neglect> {
  const { missedSeconds, staleSeconds } = patience;
  const all = [...overrunBuilds(clocks), ...expiredLeases, ...unclaimedWork(missedSeconds, staleSeconds)];
  // With the sweeps' own limit, for which the same indexes are taken as for them; EXISTS would ask for one row only.
  const counts = all.map((it) => sql`(SELECT count(*) FROM (${it} LIMIT 500) it) > 0`);
  const { rows } = await db.execute<{ dead: string[]; any: boolean }>(sql`
    SELECT ${sql.join(counts, sql` OR `)} AS any,
      ARRAY(SELECT * FROM (${leaseHolders}) it (name) WHERE name IN (${deadWorkerNames})) AS dead`);
  return { dead: rows[0]?.dead ?? [], isAny: rows[0]?.any ?? false };
}
