import { and, eq, isNull, or, gt, type SQL, sql } from 'drizzle-orm';
import { type PgColumn } from 'drizzle-orm/pg-core';
import { type Executor } from './database.ts';
import { accessKeys, accounts, projects, registryConnections, tokens, users, workspaces } from './tables/identity.ts';

/** Who asks: every query for a caller is scoped by this. */
export interface Viewer {
  accountId: string;
  userId: string;
  role: 'admin' | 'member';
}

/**
 * A condition on a workspace column: admins see every workspace of their account, members those they belong to. A revoked
 * workspace, or one of a revoked project, is seen by nobody.
 */
export const visibleIn = (viewer: Viewer, workspaceId: PgColumn): SQL =>
  sql`${workspaceId} IN (
    SELECT w.id FROM workspaces w JOIN projects p ON p.id = w.project_id
    WHERE w.account_id = ${viewer.accountId} AND w.revoked_at IS NULL AND p.revoked_at IS NULL${
      viewer.role === 'admin'
        ? sql``
        : sql` AND EXISTS (SELECT 1 FROM workspace_members m WHERE m.workspace_id = w.id AND m.user_id = ${viewer.userId})`
    })`;

const viewerColumns = { accountId: users.accountId, userId: users.id, role: users.role };
const notRevoked = and(isNull(users.revokedAt), isNull(accounts.revokedAt));

/** The owner and sealed secret of an access key that is not revoked. */
export async function findAccessKey(
  db: Executor,
  id: string,
): Promise<(Viewer & { secretSealed: string }) | undefined> {
  const [row] = await db
    .select({ ...viewerColumns, secretSealed: accessKeys.secretSealed })
    .from(accessKeys)
    .innerJoin(users, eq(users.id, accessKeys.userId))
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .where(and(eq(accessKeys.id, id), isNull(accessKeys.revokedAt), notRevoked));
  return row;
}

/** The owner of a token that is neither revoked nor expired. */
export async function findToken(db: Executor, hash: string): Promise<Viewer | undefined> {
  const [row] = await db
    .select(viewerColumns)
    .from(tokens)
    .innerJoin(users, eq(users.id, tokens.userId))
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .where(
      and(
        eq(tokens.hash, hash),
        isNull(tokens.revokedAt),
        or(isNull(tokens.expiresAt), gt(tokens.expiresAt, sql`now()`)),
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

export type RegistryConnection = typeof registryConnections.$inferSelect;

// Not the query itself: awaiting that a second time would ask a second time.
export const listRegistryConnections = async (db: Executor, accountId: string): Promise<RegistryConnection[]> =>
  await db
    .select()
    .from(registryConnections)
    .where(eq(registryConnections.accountId, accountId))
    .orderBy(registryConnections.id);
