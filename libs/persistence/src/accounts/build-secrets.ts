import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { buildSecrets } from '../tables/identity.ts';

/** Adds a secret, or replaces the one of the same name. */
export const putBuildSecret = (db: Executor, row: { accountId: string; name: string; sealed: string }) =>
  db
    .insert(buildSecrets)
    .values(row)
    .onConflictDoUpdate({
      target: [buildSecrets.accountId, buildSecrets.name],
      set: { sealed: row.sealed, updatedAt: sql`now()` },
    });

export async function removeBuildSecret(db: Executor, accountId: string, name: string): Promise<boolean> {
  const { rowCount } = await db
    .delete(buildSecrets)
    .where(and(eq(buildSecrets.accountId, accountId), eq(buildSecrets.name, name)));
  return rowCount === 1;
}

/** Names and dates; what is in them leaves only sealed. */
export const listBuildSecrets = (db: Executor, accountId: string) =>
  db
    .select({ name: buildSecrets.name, createdAt: buildSecrets.createdAt, updatedAt: buildSecrets.updatedAt })
    .from(buildSecrets)
    .where(eq(buildSecrets.accountId, accountId))
    .orderBy(buildSecrets.name);

/** Those of an account that have these names. */
export const findBuildSecrets = async (
  db: Executor,
  accountId: string,
  names: readonly string[],
): Promise<{ name: string; sealed: string }[]> =>
  names.length === 0
    ? []
    : await db
        .select({ name: buildSecrets.name, sealed: buildSecrets.sealed })
        .from(buildSecrets)
        .where(and(eq(buildSecrets.accountId, accountId), inArray(buildSecrets.name, [...names])));
