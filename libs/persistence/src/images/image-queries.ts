import { goneStatuses } from '@kiln/domain';
import { and, desc, eq, inArray, lt, ne, notInArray, type SQL, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { publicOrOwn, visibleIn, type Viewer } from '../accounts/identity.ts';
import type { Image } from '../tables/images.ts';
import { workspaces } from '../tables/identity.ts';
import { images } from '../tables/images.ts';

/** Entries that hold their name and reference. */
export const heldImage = notInArray(images.status, [...goneStatuses]);

export const seenBy = (viewer: Viewer): SQL | undefined =>
  and(eq(images.accountId, viewer.accountId), visibleIn(viewer, images.workspaceId), publicOrOwn(viewer, images));

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isUuid = (text: string): boolean => uuid.test(text);

/** An image that a viewer sees, by its id in either dialect. */
export async function findImage(
  db: Executor,
  viewer: Viewer,
  by: { id: string } | { paiId: string },
): Promise<Image | undefined> {
  if ('id' in by && !isUuid(by.id)) return undefined;
  const wanted = 'id' in by ? eq(images.id, by.id) : eq(images.paiId, by.paiId);
  const [row] = await db
    .select()
    .from(images)
    .where(and(ne(images.status, 'DELETED'), wanted, seenBy(viewer)));
  return row;
}

/** What else a viewer sees of an image's repository, newest first. */
export const listVersions = async (db: Executor, viewer: Viewer, image: Image, limit: number): Promise<Image[]> =>
  await db
    .select()
    .from(images)
    .where(and(heldImage, eq(images.groupId, image.groupId ?? image.id), ne(images.id, image.id), seenBy(viewer)))
    .orderBy(desc(images.createdAt))
    .limit(limit);

/** The image of a repository that was made just before one of it. */
export async function findVersionBefore(db: Executor, viewer: Viewer, image: Image): Promise<Image | undefined> {
  const [row] = await db
    .select()
    .from(images)
    .where(
      and(
        eq(images.status, 'ACTIVE'),
        eq(images.groupId, image.groupId ?? image.id),
        lt(images.createdAt, image.createdAt),
        seenBy(viewer),
      ),
    )
    .orderBy(desc(images.createdAt))
    .limit(1);
  return row;
}

/** An image of anybody's that every user may read by its id, as ModelArts has them: look for it across accounts. */
export async function findPublicImage(db: Executor, id: string): Promise<Image | undefined> {
  if (!isUuid(id)) return undefined;
  const isInUse = sql`EXISTS (
    SELECT 1 FROM workspaces w JOIN projects p ON p.id = w.project_id JOIN accounts a ON a.id = w.account_id
    WHERE w.id = ${images.workspaceId} AND w.revoked_at IS NULL AND p.revoked_at IS NULL AND a.revoked_at IS NULL)`;
  const [row] = await db
    .select()
    .from(images)
    .where(and(eq(images.id, id), eq(images.publicById, true), heldImage, isInUse));
  return row;
}

export async function loadImage(db: Executor, id: string): Promise<Image | undefined> {
  const [row] = await db.select().from(images).where(eq(images.id, id));
  return row;
}

/** What workspaces are called, for rendering a page of entries. */
export async function workspacesOf(
  db: Executor,
  ids: string[],
): Promise<Map<string, { modelartsId: string; isDefault: boolean; name: string }>> {
  if (ids.length === 0) return new Map();
  const rows = await db.select().from(workspaces).where(inArray(workspaces.id, ids));
  return new Map(rows.map((it) => [it.id, it]));
}

/** Repositories that an account's builds have published to. */
export const listBuiltRepositories = (
  db: Executor,
  accountId: string,
): Promise<{ host: string; repository: string }[]> =>
  db
    .select({ host: images.host, repository: images.repository })
    .from(images)
    .where(and(eq(images.accountId, accountId), eq(images.via, 'build')))
    .groupBy(images.host, images.repository)
    .orderBy(images.host, images.repository);
