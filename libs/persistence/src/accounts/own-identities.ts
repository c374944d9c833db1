import { isAtLeast, type Role } from '@kiln/domain';
import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { revoke } from './provision.ts';
import type { Viewer } from './identity.ts';
import { accessKeys, accounts, tokens, users, workspaceMembers, workspaces } from '../tables/identity.ts';

export interface AccountUser {
  id: string;
  name: string;
  role: Role;
  workspaceIds: string[];
  createdAt: Date;
}

const memberOf = sql<string[]>`coalesce((SELECT array_agg(m.workspace_id ORDER BY m.workspace_id)
  FROM workspace_members m WHERE m.user_id = users.id), '{}')`;
const isGood = (accountId: string) => and(eq(users.accountId, accountId), isNull(users.revokedAt));

/** A user whom nobody has removed, of an account that nobody has. */
export async function findGoodUser(db: Executor, accountId: string, id: string): Promise<Viewer | undefined> {
  const [row] = await db
    .select({ accountId: users.accountId, userId: users.id, role: users.role })
    .from(users)
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .where(and(eq(users.id, id), isGood(accountId), isNull(accounts.revokedAt)));
  return row;
}

/** Users of an account that are not revoked, by name. */
export const listUsers = async (db: Executor, accountId: string): Promise<AccountUser[]> =>
  await db
    .select({
      id: users.id,
      name: users.name,
      role: users.role,
      workspaceIds: memberOf,
      createdAt: users.createdAt,
    })
    .from(users)
    .where(isGood(accountId))
    .orderBy(users.name);

export type UserChange = 'changed' | 'unknown' | 'last-admin';

/** Locks the account's admins, so that two of them cannot go at once; `isAdmin` tells whether the user is one. */
async function withoutLastAdmin(tx: Executor, accountId: string, id: string, stays: boolean): Promise<UserChange> {
  const admins = await tx
    .select({ id: users.id })
    .from(users)
    .where(and(isGood(accountId), eq(users.role, 'admin')))
    .for('update');
  const [user] = await tx
    .select({ id: users.id })
    .from(users)
    .where(and(isGood(accountId), eq(users.id, id)));
  if (!user) return 'unknown';
  const isLast = admins.length === 1 && admins[0]?.id === id;
  return isLast && !stays ? 'last-admin' : 'changed';
}

/**
 * Gives a user of an account another role, or other workspaces; an account keeps one admin at least.
 * @param change ids of workspaces have to be those of the account
 */
export const changeUser = (
  db: Database,
  accountId: string,
  id: string,
  change: { role?: Role | undefined; workspaceIds?: readonly string[] | undefined },
): Promise<UserChange> =>
  inTransaction(db, async (tx) => {
    const { role, workspaceIds } = change;
    const outcome = await withoutLastAdmin(tx, accountId, id, role === undefined || isAtLeast(role, 'admin'));
    if (outcome !== 'changed') return outcome;
    if (role !== undefined) await tx.update(users).set({ role }).where(eq(users.id, id));
    if (workspaceIds !== undefined) {
      await tx.delete(workspaceMembers).where(eq(workspaceMembers.userId, id));
      for (const workspaceId of new Set(workspaceIds))
        await tx.insert(workspaceMembers).values({ workspaceId, userId: id });
    }
    return outcome;
  });

/** Revokes a user of an account for good. */
export const revokeUser = (db: Database, accountId: string, id: string): Promise<UserChange> =>
  inTransaction(db, async (tx) => {
    const outcome = await withoutLastAdmin(tx, accountId, id, false);
    if (outcome === 'changed') await revoke(tx, 'user', id);
    return outcome;
  });

/** Ids of these workspaces that the account has. */
export const ownWorkspaces = async (db: Executor, accountId: string): Promise<string[]> =>
  (
    await db
      .select({ id: workspaces.id })
      .from(workspaces)
      .where(and(eq(workspaces.accountId, accountId), isNull(workspaces.revokedAt)))
  ).map((it) => it.id);

const held = { token: tokens, key: accessKeys } as const;

/**
 * Revokes a token or an access key for good.
 * @param userId whose it has to be; anybody's of the account when left out
 * @returns whether there was such a one
 */
export async function revokeOwn(
  db: Executor,
  kind: keyof typeof held,
  accountId: string,
  id: string,
  userId?: string,
): Promise<boolean> {
  const table = held[kind];
  const { rowCount } = await db
    .update(table)
    .set({ revokedAt: sql`now()` })
    .where(
      and(
        eq(table.accountId, accountId),
        sql`${table.id}::text = ${id}`,
        isNull(table.revokedAt),
        userId === undefined ? undefined : eq(table.userId, userId),
      ),
    );
  return rowCount === 1;
}

/**
 * Tokens that are still good, the newest first; those of browsers' sessions and of keys are not among them.
 * @param userId whose; everybody's of the account when left out
 */
export const listTokens = async (db: Executor, accountId: string, userId?: string) =>
  await db
    .select()
    .from(tokens)
    .where(
      and(
        eq(tokens.accountId, accountId),
        isNull(tokens.revokedAt),
        isNull(tokens.sessionOf),
        isNull(tokens.accessKeyId),
        sql`(${tokens.expiresAt} IS NULL OR ${tokens.expiresAt} > now())`,
        userId === undefined ? undefined : eq(tokens.userId, userId),
      ),
    )
    .orderBy(desc(tokens.createdAt))
    .limit(1000);
