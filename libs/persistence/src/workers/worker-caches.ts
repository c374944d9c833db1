import { sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import type { Build } from '../tables/builds.ts';

/** Which caches a builder keeps, for the dispatcher: it sends builds where what they begin with has been built. */
export interface CacheDirectory {
  /** Adds what a build has left. */
  add(build: Pick<Build, 'accountId' | 'cacheKey'>): Promise<void>;
  /** Writes down whose caches there are: of others, nothing is left. */
  set(accounts: readonly string[]): Promise<void>;
}

/** Of each account; of the first ones, little is likely to be left. */
const keysMax = 200;

/** Writes only what has changed. */
export function openCacheDirectory(db: Executor, worker: string): CacheDirectory {
  /** Accounts, with what is known of the cache of each. */
  let known = new Map<string, Set<string>>();
  return {
    async add({ accountId, cacheKey }) {
      const keys = known.get(accountId) ?? new Set();
      if (keys.has(cacheKey)) return;
      const [oldest] = keys.size >= keysMax ? keys : [];
      await db.execute(sql`
        WITH gone AS (
          DELETE FROM worker_caches
          WHERE account_id = ${accountId} AND worker = ${worker} AND cache_key = ${oldest ?? null}
        )
        INSERT INTO worker_caches (account_id, worker, cache_key) VALUES (${accountId}, ${worker}, ${cacheKey})
        ON CONFLICT DO NOTHING`);
      if (oldest !== undefined) keys.delete(oldest);
      known.set(accountId, keys.add(cacheKey));
    },
    async set(accounts) {
      if (accounts.length === known.size && accounts.every((it) => known.has(it))) return;
      const now = new Map(accounts.map((it) => [it, known.get(it) ?? new Set([''])]));
      await db.execute(sql`
        WITH gone AS (
          DELETE FROM worker_caches WHERE worker = ${worker} AND account_id <> ALL (${sql.param(accounts)})
        )
        INSERT INTO worker_caches (account_id, worker, cache_key)
        SELECT it.account_id, ${worker}, '' FROM unnest(${sql.param(accounts)}::text[]) AS it (account_id)
        WHERE NOT EXISTS (SELECT FROM worker_caches c WHERE c.account_id = it.account_id AND c.worker = ${worker})
        ON CONFLICT DO NOTHING`);
      known = now;
    },
  };
}
