import { randomInt, randomUUID } from 'node:crypto';
import type { Role } from '@kiln/domain';
import { and, eq, isNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import {
  accessKeys,
  accounts,
  projects,
  registryConnections,
  tokens,
  users,
  workspaceMembers,
  workspaces,
} from '../tables/identity.ts';

// Both clouds write these as long decimal or hexadecimal numbers, and clients treat them so.
const decimalId = (digits: number): string => String(randomInt(10 ** (digits - 1), 10 ** digits));
const hexId = (): string => randomUUID().replaceAll('-', '');

/** Creates an account with its first admin, project and workspace. */
export const createAccount = (db: Database, name: string) =>
  inTransaction(db, async (tx) => {
    const id = decimalId(14);
    // Whoever sets Kiln up makes the first one.
    const operates = sql<boolean>`NOT EXISTS (SELECT 1 FROM accounts)`;
    await tx.insert(accounts).values({ id, name, operates });
    const user = await createUser(tx, id, 'admin', 'admin');
    const project = await createProject(tx, id, 'default');
    return { id, name, userId: user.id, projectId: project.id, workspaceId: project.workspaceId };
  });

export async function createUser(db: Executor, accountId: string, name: string, role: Role) {
  const id = decimalId(14);
  await db.insert(users).values({ id, accountId, name, role });
  return { id, name, role };
}

/** Creates a project and its default workspace. */
export async function createProject(db: Executor, accountId: string, name: string) {
  const id = hexId();
  await db.insert(projects).values({ id, accountId, name });
  const workspace = await createWorkspace(db, accountId, id, name, true);
  return { id, name, workspaceId: workspace.id };
}

export async function createWorkspace(
  db: Executor,
  accountId: string,
  projectId: string,
  name: string,
  isDefault = false,
) {
  const [project] = await db
    .select()
    .from(projects)
    .where(and(eq(projects.accountId, accountId), eq(projects.id, projectId)));
  if (!project) throw new Error(`the account has no project ${projectId}`);
  const row = { id: decimalId(6 + (isDefault ? 0 : 3)), modelartsId: hexId(), accountId, projectId, name, isDefault };
  await db.insert(workspaces).values(row);
  return row;
}

/** @throws Error when the account has no such workspace */
export async function addMember(db: Executor, accountId: string, workspaceId: string, userId: string): Promise<void> {
  const [workspace] = await db
    .select()
    .from(workspaces)
    .where(and(eq(workspaces.accountId, accountId), eq(workspaces.id, workspaceId)));
  if (!workspace) throw new Error(`the account has no workspace ${workspaceId}`);
  await db.insert(workspaceMembers).values({ workspaceId, userId }).onConflictDoNothing();
}

export const insertAccessKey = (db: Executor, row: Omit<typeof accessKeys.$inferInsert, 'createdAt' | 'revokedAt'>) =>
  db.insert(accessKeys).values(row);

export const insertToken = (db: Executor, row: Omit<typeof tokens.$inferInsert, 'createdAt' | 'revokedAt'>) =>
  db.insert(tokens).values(row);

/** Adds a registry connection, or replaces the one of the same id. */
export const putRegistryConnection = (db: Executor, row: Omit<typeof registryConnections.$inferInsert, 'createdAt'>) =>
  db
    .insert(registryConnections)
    .values(row)
    .onConflictDoUpdate({ target: [registryConnections.accountId, registryConnections.id], set: row });

/** Notes whether the registry of a connection took a layer that is packed with zstd. */
export async function noteZstd(db: Executor, accountId: string, id: string, takesZstd: boolean): Promise<void> {
  await db
    .update(registryConnections)
    .set({ takesZstd })
    .where(and(eq(registryConnections.accountId, accountId), eq(registryConnections.id, id)));
}

/** Notes that the registry of a connection keeps no layers for other builders, unless the connection was put anew. */
export async function noteCacheRefused(
  db: Executor,
  connection: typeof registryConnections.$inferSelect,
): Promise<void> {
  const { accountId, id, cacheRepository, passwordSealed } = connection;
  await db
    .update(registryConnections)
    .set({ takesCache: false })
    .where(
      and(
        eq(registryConnections.accountId, accountId),
        eq(registryConnections.id, id),
        sql`${registryConnections.cacheRepository} = ${cacheRepository}`,
        sql`${registryConnections.passwordSealed} IS NOT DISTINCT FROM ${passwordSealed}`,
      ),
    );
}

export async function removeRegistryConnection(db: Executor, accountId: string, id: string): Promise<boolean> {
  const { rowCount } = await db
    .delete(registryConnections)
    .where(and(eq(registryConnections.accountId, accountId), eq(registryConnections.id, id)));
  return rowCount === 1;
}

/** An account by name or id. */
export async function findAccount(db: Executor, nameOrId: string): Promise<typeof accounts.$inferSelect | undefined> {
  const [row] = await db
    .select()
    .from(accounts)
    .where(sql`${accounts.id} = ${nameOrId} OR ${accounts.name} = ${nameOrId}`);
  return row;
}

/** A user of an account by name or id. */
export async function findUser(
  db: Executor,
  accountId: string,
  nameOrId: string,
): Promise<typeof users.$inferSelect | undefined> {
  const [row] = await db
    .select()
    .from(users)
    .where(and(eq(users.accountId, accountId), sql`(${users.id} = ${nameOrId} OR ${users.name} = ${nameOrId})`));
  return row;
}

const revocable = {
  account: accounts,
  user: users,
  project: projects,
  workspace: workspaces,
  key: accessKeys,
  token: tokens,
} as const;
export type RevocableKind = keyof typeof revocable;

/** Marks something as no longer valid; false when there is no such thing, or it was revoked before. */
export async function revoke(db: Executor, kind: RevocableKind, id: string): Promise<boolean> {
  const table = revocable[kind];
  const { rowCount } = await db
    .update(table)
    .set({ revokedAt: sql`now()` })
    .where(and(sql`${table.id}::text = ${id}`, isNull(table.revokedAt)));
  return rowCount === 1;
}

/** Everything of one kind in an account (or every account), without secrets. */
export async function listIdentities(
  db: Executor,
  kind: RevocableKind | 'registry',
  accountId?: string,
): Promise<Record<string, unknown>[]> {
  const table = kind === 'registry' ? registryConnections : revocable[kind];
  const all = (await db.select().from(table).orderBy(table.createdAt)) as Record<string, unknown>[];
  return all
    .filter((it) => accountId === undefined || kind === 'account' || it['accountId'] === accountId)
    .map((it) => Object.fromEntries(Object.entries(it).filter(([name]) => !/sealed|hash|caPem/i.test(name))));
}

/**
 * Lets a key live for so much longer only; its owner has another one by then.
 * @returns the key, or undefined when there is none that is still good; a temporary one is not followed by another
 */
export async function expireKey(
  db: Executor,
  id: string,
  hours: number,
): Promise<typeof accessKeys.$inferSelect | undefined> {
  const [row] = await db
    .update(accessKeys)
    .set({ expiresAt: sql`least(${accessKeys.expiresAt}, now() + make_interval(hours => ${hours}))` })
    .where(
      and(
        eq(accessKeys.id, id),
        isNull(accessKeys.revokedAt),
        isNull(accessKeys.securityTokenHash),
        sql`(${accessKeys.expiresAt} IS NULL OR ${accessKeys.expiresAt} > now())`,
      ),
    )
    .returning();
  return row;
}

/** Lets an account's operators run the installation, or no longer. */
export const setOperates = (db: Executor, accountId: string, operates: boolean) =>
  db.update(accounts).set({ operates }).where(eq(accounts.id, accountId));
