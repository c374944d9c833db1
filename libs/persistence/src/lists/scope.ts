import { and, eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Executor } from '../db/database.ts';
import { publicOrOwn, seesAll, type Viewer, visibleIn } from '../accounts/identity.ts';
import { workspaces } from '../tables/identity.ts';
import { images, tallies } from '../tables/images.ts';
import type { Ids } from './remembered.ts';

/** Whose list it is, and of which workspaces; the caller has checked that the viewer may see them. */
export interface ListScope {
  viewer: Viewer;
  workspaceIds: string[];
}

/** Every workspace that a viewer may see. */
export async function workspacesSeenBy(db: Executor, viewer: Viewer): Promise<string[]> {
  const rows = await db
    .select({ id: workspaces.id })
    .from(workspaces)
    .where(visibleIn(viewer, workspaces.id))
    .orderBy(workspaces.id);
  return rows.map((it) => it.id);
}

/** What a table must have to be listed by scope. */
export interface ScopeColumns {
  accountId: PgColumn;
  workspaceId: PgColumn;
  userId: PgColumn;
  visibility: PgColumn;
}

/** What of the scope's workspaces the viewer sees. */
export const inScope = ({ viewer, workspaceIds }: ListScope, columns: ScopeColumns = images): SQL | undefined => {
  const [only] = workspaceIds;
  return and(
    eq(columns.accountId, viewer.accountId),
    // One workspace is told as such: it lets an index give the order.
    workspaceIds.length === 1 && only !== undefined
      ? eq(columns.workspaceId, only)
      : inArray(columns.workspaceId, workspaceIds),
    publicOrOwn(viewer, columns),
  );
};

/** What tells one viewer's list from another's. */
export const scopeKey = ({ viewer, workspaceIds }: ListScope): string =>
  JSON.stringify([viewer.accountId, seesAll(viewer) ? '' : viewer.userId, workspaceIds]);

/**
 * How many entries of a list there are, counted from the tallies, and the list's version: as long as that is the same,
 * so is the list.
 */
export async function tally(
  db: Executor,
  list: 'images' | 'jobs',
  scope: ListScope,
  counted: SQL | undefined,
): Promise<{ total: number; version: string }> {
  const rows = await db
    .select({
      total: sql<number>`coalesce(sum(${tallies.n}) FILTER (WHERE ${and(sql`true`, inScope(scope, tallies), counted)}), 0)::int`,
      version: sql<string>`concat_ws(':', count(*), max(${tallies.id}), sum(${tallies.id}))`,
    })
    .from(tallies)
    .where(and(eq(tallies.list, list), inArray(tallies.workspaceId, scope.workspaceIds)));
  return rows[0] ?? { total: 0, version: '' };
}

/** An index is walked up to here, in milliseconds; a page that lies deeper is cut out of the remembered ids. */
export const shallowRows = 10_000;

/** Runs `SELECT id … ORDER BY …` for all ids in order, as one text. */
export async function askIds(db: Executor, ordered: SQL): Promise<Ids> {
  const { rows } = await db.execute<{ text: string | null; count: number }>(
    sql`SELECT string_agg(id, '') AS text, count(*)::int AS count FROM (${ordered}) AS ids`,
  );
  return { text: rows[0]?.text ?? '', count: rows[0]?.count ?? 0 };
}
