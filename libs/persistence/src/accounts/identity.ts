import { isAtLeast, type Role, type Scope } from '@kiln/domain';
import { and, eq, inArray, isNull, or, gt, type SQL, sql } from 'drizzle-orm';
import { alias, type PgColumn } from 'drizzle-orm/pg-core';
import type { Executor } from '../db/database.ts';
import { accessKeys, accounts, projects, registryConnections, tokens, users, workspaces } from '../tables/identity.ts';

/** Who asks: every query for a caller is scoped by this. */
export interface Viewer {
  accountId: string;
  userId: string;
  role: Role;
}

export const seesAll = ({ role }: Viewer): boolean => isAtLeast(role, 'operator');

/**
 * A condition on a workspace column: operators and admins see every workspace of their account, others those they
 * belong to. A revoked workspace, or one of a revoked project, is seen by nobody.
 */
export const visibleIn = (viewer: Viewer, workspaceId: PgColumn): SQL =>
  sql`${workspaceId} IN (
    SELECT w.id FROM workspaces w JOIN projects p ON p.id = w.project_id
    WHERE w.account_id = ${viewer.accountId} AND w.revoked_at IS NULL AND p.revoked_at IS NULL${
      seesAll(viewer)
        ? sql``
        : sql` AND EXISTS (SELECT 1 FROM workspace_members m
          WHERE m.workspace_id = w.id AND m.user_id = ${viewer.userId})`
    })`;

/** What a viewer sees in a workspace: what is public there, and the viewer's own. Operators and admins see all. */
export const publicOrOwn = (viewer: Viewer, columns: { visibility: PgColumn; userId: PgColumn }): SQL | undefined =>
  seesAll(viewer) ? undefined : or(eq(columns.visibility, 'PUBLIC'), eq(columns.userId, viewer.userId));

const viewerColumns = { accountId: users.accountId, userId: users.id, role: users.role, operates: accounts.operates };
const notExpired = (at: PgColumn) => or(isNull(at), gt(at, sql`now()`));
const notRevoked = and(isNull(users.revokedAt), isNull(accounts.revokedAt));

/** What a key or token is. */
export interface Credential {
  kind: 'key' | 'token';
  id: string;
  /** What it is good for; null for all that its user may do. */
  scopes: readonly Scope[] | null;
}

/** A user, and whether the account's operators run the installation. */
export interface FoundOwner extends Viewer {
  operates: boolean;
}

/** An access key with its owner. */
export interface FoundAccessKey extends FoundOwner {
  scopes: Scope[] | null;
  secretSealed: string;
  /** What must come with a temporary key. */
  securityTokenHash: string | null;
  expiresAt: Date | null;
  revokedAt: Date | null;
}

/** An access key of an owner who is not revoked; whether the key itself is still good is the caller's to judge. */
export async function findAccessKey(db: Executor, id: string): Promise<FoundAccessKey | undefined> {
  const [row] = await db
    .select({
      ...viewerColumns,
      scopes: accessKeys.scopes,
      secretSealed: accessKeys.secretSealed,
      securityTokenHash: accessKeys.securityTokenHash,
      expiresAt: accessKeys.expiresAt,
      revokedAt: accessKeys.revokedAt,
    })
    .from(accessKeys)
    .innerJoin(users, eq(users.id, accessKeys.userId))
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .where(and(eq(accessKeys.id, id), notRevoked));
  return row;
}

/** A token with its owner. */
export interface FoundToken extends FoundOwner {
  id: string;
  scopes: Scope[] | null;
  /** The only project that it is good for. */
  onlyProjectId: string | null;
  /** The token that it is a browser's session of. */
  sessionOf: string | null;
  accessKeyId: string | null;
  expiresAt: Date | null;
}

/** The token that a session was begun with. */
const begun = alias(tokens, 'begun');

/** The owner of a token that is neither revoked nor expired, and the one project that it is good for. */
export async function findToken(db: Executor, hash: string): Promise<FoundToken | undefined> {
  const [row] = await db
    .select({
      ...viewerColumns,
      id: tokens.id,
      scopes: tokens.scopes,
      onlyProjectId: tokens.projectId,
      sessionOf: tokens.sessionOf,
      accessKeyId: tokens.accessKeyId,
      expiresAt: tokens.expiresAt,
    })
    .from(tokens)
    .innerJoin(users, eq(users.id, tokens.userId))
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .leftJoin(accessKeys, eq(accessKeys.id, tokens.accessKeyId))
    .leftJoin(begun, eq(begun.id, tokens.sessionOf))
    .where(
      and(
        eq(tokens.hash, hash),
        isNull(tokens.revokedAt),
        notExpired(tokens.expiresAt),
        isNull(accessKeys.revokedAt),
        notExpired(accessKeys.expiresAt),
        isNull(begun.revokedAt),
        notExpired(begun.expiresAt),
        notRevoked,
      ),
    );
  return row;
}

export type Workspace = typeof workspaces.$inferSelect;

/** A workspace of the viewer's, by either of its ids; in ModelArts' "0" stands for the project's default one. */
export async function findWorkspace(
  db: Executor,
  viewer: Viewer,
  by: { id: string; projectId?: string },
): Promise<Workspace | undefined> {
  const wanted =
    by.id === '0' && by.projectId !== undefined
      ? workspaces.isDefault
      : or(eq(workspaces.id, by.id), eq(workspaces.modelartsId, by.id));
  const [row] = await db
    .select()
    .from(workspaces)
    .where(
      and(
        eq(workspaces.accountId, viewer.accountId),
        by.projectId === undefined ? undefined : eq(workspaces.projectId, by.projectId),
        wanted,
        visibleIn(viewer, workspaces.id),
      ),
    );
  return row;
}

export async function findProject(
  db: Executor,
  accountId: string,
  id: string,
): Promise<typeof projects.$inferSelect | undefined> {
  const [row] = await db
    .select()
    .from(projects)
    .where(and(eq(projects.accountId, accountId), eq(projects.id, id), isNull(projects.revokedAt)));
  return row;
}

/** An account's projects, oldest first. */
export const listProjects = async (db: Executor, accountId: string): Promise<(typeof projects.$inferSelect)[]> =>
  await db
    .select()
    .from(projects)
    .where(and(eq(projects.accountId, accountId), isNull(projects.revokedAt)))
    .orderBy(projects.createdAt, projects.id);

/** The viewer's first default workspace: where an image goes when its request names none. */
export async function findDefaultWorkspace(db: Executor, viewer: Viewer): Promise<Workspace | undefined> {
  const [row] = await db
    .select()
    .from(workspaces)
    .where(visibleIn(viewer, workspaces.id))
    .orderBy(sql`NOT ${workspaces.isDefault}`, workspaces.createdAt, workspaces.id)
    .limit(1);
  return row;
}

/** What people and accounts are called. */
export async function namesOf(db: Executor, viewer: Viewer): Promise<{ user: string; account: string } | undefined> {
  const [row] = await db
    .select({ user: users.name, account: accounts.name })
    .from(users)
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .where(eq(users.id, viewer.userId));
  return row;
}

export type RegistryConnection = typeof registryConnections.$inferSelect;

// Not the query itself: awaiting that a second time would ask a second time.
export const listRegistryConnections = async (db: Executor, accountId: string): Promise<RegistryConnection[]> =>
  await db
    .select()
    .from(registryConnections)
    .where(eq(registryConnections.accountId, accountId))
    .orderBy(registryConnections.id);

/** Notes when keys and tokens were used. */
export async function noteUse(
  db: Executor,
  used: { keys: readonly string[]; tokens: readonly string[] },
): Promise<void> {
  if (used.keys.length > 0)
    await db
      .update(accessKeys)
      .set({ lastUsedAt: sql`now()` })
      .where(inArray(accessKeys.id, [...used.keys]));
  if (used.tokens.length > 0)
    await db
      .update(tokens)
      .set({ lastUsedAt: sql`now()` })
      .where(inArray(tokens.id, [...used.tokens]));
}

/** Ends a token; false when it had ended before. */
export async function endToken(db: Executor, id: string): Promise<boolean> {
  const { rowCount } = await db
    .update(tokens)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(tokens.id, id), isNull(tokens.revokedAt)));
  return rowCount === 1;
}

/** The workspaces that a viewer sees, by name. */
export const listWorkspaces = async (db: Executor, viewer: Viewer): Promise<Workspace[]> =>
  await db.select().from(workspaces).where(visibleIn(viewer, workspaces.id)).orderBy(workspaces.name);

/** A user's access keys, without what would let anybody sign. */
export const listOwnKeys = async (db: Executor, userId: string) =>
  await db
    .select({
      id: accessKeys.id,
      scopes: accessKeys.scopes,
      createdAt: accessKeys.createdAt,
      lastUsedAt: accessKeys.lastUsedAt,
      expiresAt: accessKeys.expiresAt,
    })
    .from(accessKeys)
    .where(and(eq(accessKeys.userId, userId), isNull(accessKeys.revokedAt), notExpired(accessKeys.expiresAt)))
    .orderBy(accessKeys.createdAt);
