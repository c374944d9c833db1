import { sql } from 'drizzle-orm';
import { type Executor } from '../db/database.ts';

/** Which accounts' caches a builder keeps, for the dispatcher: it sends an account's builds where its cache is. */
export interface CacheDirectory {
  /** Adds an account, before its first build here. */
  add(account: string): Promise<void>;
  /** Writes down all that there are. */
  set(accounts: readonly string[]): Promise<void>;
}

/** Writes only what has changed. */
export function openCacheDirectory(db: Executor, worker: string): CacheDirectory {
  let known = new Set<string>();
  return {
    async add(account) {
      if (known.has(account)) return;
      known.add(account);
      await db.execute(
        sql`INSERT INTO worker_caches (account_id, worker) VALUES (${account}, ${worker}) ON CONFLICT DO NOTHING`,
      );
    },
    async set(accounts) {
      if (accounts.length === known.size && accounts.every((it) => known.has(it))) return;
      known = new Set(accounts);
      await db.execute(sql`
        WITH gone AS (DELETE FROM worker_caches WHERE worker = ${worker} AND account_id <> ALL (${sql.param([...known])}))
        INSERT INTO worker_caches (account_id, worker)
        SELECT account_id, ${worker} FROM unnest(${sql.param([...known])}::text[]) AS it (account_id)
        ON CONFLICT DO NOTHING`);
    },
  };
}
