import { terminalStates } from '@kiln/domain';
import { and, desc, eq, sql } from 'drizzle-orm';
import type { Database, Executor } from '../db/database.ts';
import { contexts } from '../tables/contexts.ts';
import { heldStatus } from '../tables/images.ts';

export type KeptContext = typeof contexts.$inferSelect;

const quoted = (words: readonly string[]): string => words.map((it) => `'${it}'`).join(', ');

/**
 * Keeps a context for some time from now; one that is there already, for longer.
 * @param hours how long, at least
 */
export async function putContext(
  db: Executor,
  row: Pick<KeptContext, 'accountId' | 'id' | 'files' | 'bytes'> & { archive?: string | undefined },
  hours: number,
): Promise<KeptContext> {
  const expiresAt = sql`now() + make_interval(hours => ${hours})`;
  const [kept] = await db
    .insert(contexts)
    .values({ ...row, archive: row.archive ?? null, expiresAt })
    .onConflictDoUpdate({
      target: [contexts.accountId, contexts.id],
      set: {
        expiresAt: sql`greatest(${contexts.expiresAt}, excluded.expires_at)`,
        archive: sql`coalesce(excluded.archive, ${contexts.archive})`,
      },
    })
    .returning();
  if (!kept) throw new Error('a context that was written is not there');
  return kept;
}

/** One context of an account, by its id or by the digest of an archive that it came as. */
export async function findContext(
  db: Executor,
  accountId: string,
  by: { id: string } | { archive: string },
): Promise<KeptContext | undefined> {
  const is = 'id' in by ? eq(contexts.id, by.id) : eq(contexts.archive, by.archive);
  const [row] = await db
    .select()
    .from(contexts)
    .where(and(eq(contexts.accountId, accountId), is))
    .limit(1);
  return row;
}

/** An account's contexts, the newest first. */
export const listContexts = async (db: Executor, accountId: string, limit: number): Promise<KeptContext[]> =>
  await db
    .select()
    .from(contexts)
    .where(eq(contexts.accountId, accountId))
    .orderBy(desc(contexts.createdAt), contexts.id)
    .limit(limit);

/** @returns whether there was such a context */
export async function expireContext(db: Executor, accountId: string, id: string): Promise<boolean> {
  const { rowCount } = await db
    .update(contexts)
    .set({ expiresAt: sql`now()` })
    .where(and(eq(contexts.accountId, accountId), eq(contexts.id, id)));
  return rowCount === 1;
}

/**
 * Forgets contexts whose time is over: of builds that have ended, and of which no image is in the catalogue any more.
 * @returns ids of those that are left, by account
 */
export async function forgetContexts(db: Database): Promise<Map<string, Set<string>>> {
  await db.execute(sql`
    DELETE FROM contexts c
    WHERE c.expires_at <= now() AND NOT EXISTS (
      SELECT 1 FROM builds b LEFT JOIN images i ON i.build_id = b.id
      WHERE b.account_id = c.account_id AND (
          b.request ? 'context' AND b.request -> 'context' ->> 'id' = c.id
          OR b.request ? 'namedContexts' AND EXISTS (
            SELECT 1 FROM jsonb_each(b.request -> 'namedContexts') it WHERE it.value ->> 'id' = c.id))
        AND (b.state NOT IN (${sql.raw(quoted(terminalStates))}) OR i.${sql.raw(heldStatus)}))`);
  const left = new Map<string, Set<string>>();
  for (const { accountId, id } of await db.select({ accountId: contexts.accountId, id: contexts.id }).from(contexts)) {
    const ids = left.get(accountId) ?? new Set();
    left.set(accountId, ids.add(id));
  }
  return left;
}
