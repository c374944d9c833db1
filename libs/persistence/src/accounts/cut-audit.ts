import { sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { type AuditRow, cutAction, recordAudit } from './audit.ts';

/** How many entries are read at a time. */
const pageRows = 5000;

/**
 * Removes the oldest entries of the audit log, once they are kept elsewhere, and appends an entry that says so: from
 * then on the chain begins with the first that is left.
 * @param before entries up to the first that is not older stay
 * @param keep is given all of them, in their order, before any is removed
 * @returns how many were removed, and the number and hash of the last of them; undefined when none is that old
 */
export async function cutAudit(
  db: Database,
  before: Date,
  keep: (entries: AuditRow[]) => Promise<void>,
): Promise<{ removed: number; lastId: number; lastHash: string } | undefined> {
  const { rows } = await db.execute<{ id: string; hash: string }>(sql`
    SELECT id, hash FROM audit_log WHERE id < coalesce(
      (SELECT min(id) FROM audit_log WHERE at >= ${before.toISOString()}::timestamptz), 9223372036854775807)
    ORDER BY id DESC LIMIT 1`);
  const [last] = rows;
  if (!last) return undefined;
  let kept = 0;
  for (let after = '-9223372036854775808'; ;) {
    const page = await listFrom(db, after, last.id);
    const end = page.at(-1);
    if (!end) break;
    await keep(page);
    kept += page.length;
    after = end.id;
  }
  return inTransaction(db, async (tx) => {
    const cut = { removed: kept, lastId: Number(last.id), lastHash: last.hash };
    const entry = {
      accountId: null,
      actor: 'operator',
      action: cutAction,
      target: before.toISOString(),
      outcome: 'ok',
    };
    // First: it continues the chain, should all others go.
    await recordAudit(tx, { ...entry, details: cut });
    await tx.execute(sql`SELECT set_config('kiln.audit_cut', 'on', true)`);
    const { rowCount } = await tx.execute(sql`DELETE FROM audit_log WHERE id <= ${last.id}`);
    if (rowCount !== kept) throw new Error(`${kept} entries were kept, and ${rowCount} would be removed`);
    return cut;
  });
}

async function listFrom(db: Executor, after: string, upTo: string): Promise<AuditRow[]> {
  const { rows } = await db.execute<AuditRow>(sql`
    SELECT id::text, at::text, account_id, actor, action, target, outcome, details, previous_hash, hash
    FROM audit_log WHERE id > ${after} AND id <= ${upTo} ORDER BY id LIMIT ${pageRows}`);
  return rows;
}
