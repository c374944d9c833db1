import { and, asc, eq } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { sourceConnections } from '../tables/contexts.ts';

export type SourceConnection = typeof sourceConnections.$inferSelect;

/** Adds a connection, or replaces the one for the same host. */
export async function putSourceConnection(
  db: Executor,
  row: Omit<typeof sourceConnections.$inferInsert, 'createdAt'>,
): Promise<void> {
  await db
    .insert(sourceConnections)
    .values(row)
    .onConflictDoUpdate({ target: [sourceConnections.accountId, sourceConnections.host], set: row });
}

export async function removeSourceConnection(db: Executor, accountId: string, host: string): Promise<boolean> {
  const { rowCount } = await db
    .delete(sourceConnections)
    .where(and(eq(sourceConnections.accountId, accountId), eq(sourceConnections.host, host)));
  return rowCount === 1;
}

export const listSourceConnections = async (db: Executor, accountId: string): Promise<SourceConnection[]> =>
  await db
    .select()
    .from(sourceConnections)
    .where(eq(sourceConnections.accountId, accountId))
    .orderBy(asc(sourceConnections.host));
