import { and, asc, desc, eq, isNull, or, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { lockByName } from '../db/locks.ts';
import { signingKeys } from '../tables/attestations.ts';

export type StoredSigningKey = typeof signingKeys.$inferSelect;

const isOf = (accountId: string | null) =>
  accountId === null ? isNull(signingKeys.accountId) : eq(signingKeys.accountId, accountId);

/** The newest of an account, or else of the installation. */
async function newestFor(db: Executor, accountId: string | null): Promise<StoredSigningKey | undefined> {
  const [row] = await db
    .select()
    .from(signingKeys)
    .where(and(or(isOf(accountId), isOf(null)), isNull(signingKeys.retiredAt)))
    .orderBy(sql`${signingKeys.accountId} IS NULL`, desc(signingKeys.createdAt))
    .limit(1);
  return row;
}

/**
 * The key that signs for an account: its own, or the installation's, which is made when it is first needed.
 * @param make a key, sealed
 */
export async function signingKeyOf(
  db: Database,
  accountId: string,
  make: () => Pick<StoredSigningKey, 'id' | 'publicKey' | 'privateSealed'>,
): Promise<StoredSigningKey> {
  const found = await newestFor(db, accountId);
  if (found) return found;
  return inTransaction(db, async (tx) => {
    await lockByName(tx, 'signing key of the installation');
    const meanwhile = await newestFor(tx, null);
    if (meanwhile) return meanwhile;
    const [made] = await tx
      .insert(signingKeys)
      .values({ ...make(), accountId: null })
      .returning();
    if (!made) throw new Error('no key came to be');
    return made;
  });
}

/** Adds a key, which signs from now on; those before it can still be verified. */
export const addSigningKey = (
  db: Database,
  key: Pick<StoredSigningKey, 'id' | 'accountId' | 'publicKey' | 'privateSealed'>,
): Promise<void> =>
  inTransaction(db, async (tx) => {
    const { rowCount } = await tx
      .update(signingKeys)
      .set({ retiredAt: null, createdAt: sql`now()`, privateSealed: key.privateSealed })
      .where(and(isOf(key.accountId), eq(signingKeys.id, key.id)));
    if (rowCount === 0) await tx.insert(signingKeys).values(key);
  });

/** Keys that have signed for an account, from the oldest. @param db sees the installation's, too */
export const listSigningKeys = (
  db: Executor,
  accountId: string,
): Promise<Omit<StoredSigningKey, 'privateSealed'>[]> => {
  const { id, publicKey, createdAt, retiredAt } = signingKeys;
  return db
    .select({ id, accountId: signingKeys.accountId, publicKey, createdAt, retiredAt })
    .from(signingKeys)
    .where(or(isOf(accountId), isOf(null)))
    .orderBy(asc(createdAt));
};

/** Ends the use of a key of an account; false when it has none of that id. */
export async function retireSigningKey(db: Executor, accountId: string, id: string): Promise<boolean> {
  const { rowCount } = await db
    .update(signingKeys)
    .set({ retiredAt: sql`now()` })
    .where(and(isOf(accountId), eq(signingKeys.id, id), isNull(signingKeys.retiredAt)));
  return rowCount === 1;
}
