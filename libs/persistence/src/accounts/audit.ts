import { and, desc, eq, lt, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { auditLog } from '../tables/audit.ts';

export interface AuditEntry {
  accountId: string | null;
  /** A user's id, or `operator`. */
  actor: string;
  action: string;
  target: string;
  /** `ok`, or the code of the error. */
  outcome: string;
  details?: Record<string, unknown>;
  /** When it was done, when that is not now. */
  at?: Date;
}

/**
 * Appends to the audit log, in this order; never a secret among the details. Numbers and hashes are the database's, and
 * so are the times unless the entry has one.
 */
export async function recordAudit(db: Executor, ...entries: AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await db.execute(sql`
    INSERT INTO audit_log (id, at, account_id, actor, action, target, outcome, details, previous_hash, hash)
    SELECT 0, coalesce((it->>'at')::timestamptz, now()), it->>'accountId', it->>'actor', it->>'action',
      it->>'target', it->>'outcome',
      coalesce(it->'details', '{}'), '', ''
    FROM jsonb_array_elements(${JSON.stringify(entries)}::jsonb) WITH ORDINALITY AS given (it, n) ORDER BY n`);
}

/** The newest entries first. */
export const listAudit = (db: Executor, by: { accountId?: string; before?: number; limit: number }) =>
  db
    .select()
    .from(auditLog)
    .where(
      and(
        by.accountId === undefined ? undefined : eq(auditLog.accountId, by.accountId),
        by.before === undefined ? undefined : lt(auditLog.id, by.before),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(by.limit);

/** An entry as it is in the table. */
export interface AuditRow extends Record<string, unknown> {
  id: string;
  at: string;
  account_id: string | null;
  actor: string;
  action: string;
  target: string;
  outcome: string;
  details: Record<string, unknown>;
  previous_hash: string;
  hash: string;
}

/** What the entry of a cut is called; its details say which was the last that was removed. */
export const cutAction = 'audit cut';

/** How many entries a cut has removed before the first; 0 when there was none that fits. */
async function findCut(db: Executor): Promise<{ removed: number; lastHash: string }> {
  const { rows } = await db.execute<{ removed: string; last_hash: string }>(sql`
    SELECT first.id - 1 AS removed, first.previous_hash AS last_hash
    FROM (SELECT id, previous_hash FROM audit_log ORDER BY id LIMIT 1) first
    WHERE EXISTS (SELECT 1 FROM audit_log WHERE action = ${cutAction} AND actor = 'operator' AND account_id IS NULL
      AND details->>'lastId' = (first.id - 1)::text AND details->>'lastHash' = first.previous_hash)`);
  return { removed: Number(rows[0]?.removed ?? 0), lastHash: rows[0]?.last_hash ?? '' };
}

/**
 * Works out every hash again, some thousands at a time. The chain begins with the first entry, or where an entry says that
 * those before it were removed.
 * @returns how many entries there are and were removed, the hash of the last (which, kept elsewhere, shows later that
 * none was cut off the end), and the first that does not fit
 */
export async function verifyAudit(
  db: Executor,
  pageRows = 20_000,
): Promise<{ entries: number; removed: number; lastHash: string; brokenAt: number | null }> {
  const { removed, lastHash: cutHash } = await findCut(db);
  let upTo = removed;
  let lastHash = cutHash;
  // Whatever is there: numbers begin at 1.
  let after = '-9223372036854775808';
  for (;;) {
    const { rows } = await db.execute<{ n: number; last_hash: string; broken_at: string | null }>(sql`
      SELECT count(*)::int AS n, (array_agg(hash ORDER BY id DESC))[1] AS last_hash,
        min(id) FILTER (WHERE id <> expected_id OR previous_hash <> expected_previous
          OR hash <> audit_hash(it)) AS broken_at
      FROM (
        SELECT it, id, previous_hash, hash, ${upTo}::bigint + row_number() OVER (ORDER BY id) AS expected_id,
          coalesce(lag(hash) OVER (ORDER BY id), ${lastHash}) AS expected_previous
        FROM (SELECT a AS it, a.id, a.previous_hash, a.hash FROM audit_log a WHERE id > ${after}
          ORDER BY id LIMIT ${pageRows}) page
      ) chain`);
    const [page] = rows;
    if (!page || page.n === 0) return { entries: upTo - removed, removed, lastHash, brokenAt: null };
    upTo += page.n;
    lastHash = page.last_hash;
    after = String(upTo);
    if (page.broken_at !== null)
      return { entries: upTo - removed, removed, lastHash, brokenAt: Number(page.broken_at) };
  }
}
