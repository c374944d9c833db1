import { type ImageStatus, type Label, type ListImageQuery, type ListImagesQuery } from '@kiln/schemas';
import { and, asc, desc, eq, ilike, inArray, ne, or, type SQL, sql } from 'drizzle-orm';
import { type Executor } from './database.ts';
import { escapeLike } from './build-queries.ts';
import { visibleIn, type Viewer } from './identity.ts';
import { type Image } from './images.ts';
import { workspaces } from './tables/identity.ts';
import { imageLabels, images } from './tables/images.ts';

/**
 * What a viewer may see: within the account, an image of one of the viewer's workspaces that is public there or the
 * viewer's own. Admins see all of their account.
 */
const seenBy = (viewer: Viewer): SQL | undefined =>
  and(
    eq(images.accountId, viewer.accountId),
    ne(images.status, 'DELETED'),
    visibleIn(viewer, images.workspaceId),
    viewer.role === 'admin' ? undefined : or(eq(images.visibility, 'PUBLIC'), eq(images.userId, viewer.userId)),
  );

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** An image by its id in either dialect. */
export async function findImage(
  db: Executor,
  viewer: Viewer,
  by: { id: string } | { paiId: string },
): Promise<Image | undefined> {
  if ('id' in by && !uuid.test(by.id)) return undefined;
  const wanted = 'id' in by ? eq(images.id, by.id) : eq(images.paiId, by.paiId);
  const [row] = await db
    .select()
    .from(images)
    .where(and(seenBy(viewer), wanted));
  return row;
}

export async function loadImage(db: Executor, id: string): Promise<Image | undefined> {
  const [row] = await db.select().from(images).where(eq(images.id, id));
  return row;
}

/** Labels of several images at once, by image id. */
export async function labelsOf(db: Executor, ids: string[]): Promise<Map<string, Label[]>> {
  const found = new Map<string, Label[]>(ids.map((id) => [id, []]));
  if (ids.length === 0) return found;
  const rows = await db.select().from(imageLabels).where(inArray(imageLabels.imageId, ids)).orderBy(imageLabels.key);
  for (const { imageId, key, value } of rows) found.get(imageId)?.push({ Key: key, Value: value });
  return found;
}

const holdsLabel = ({ Key, Value }: Label): SQL =>
  sql`EXISTS (SELECT 1 FROM image_labels l WHERE l.image_id = ${images.id} AND l.key = ${Key}${
    Value === '*' ? sql`` : sql` AND l.value = ${Value}`
  })`;

const contains = (column: SQL | typeof images.name, part: string): SQL =>
  sql`${column} ILIKE ${`%${escapeLike(part)}%`}`;

const uri = sql`${images.host} || '/' || ${images.repository} || ':' || ${images.tag}`;

async function page(db: Executor, where: SQL | undefined, order: SQL[], limit: number, offset: number) {
  const [found, [total]] = await Promise.all([
    db
      .select()
      .from(images)
      .where(where)
      .orderBy(...order)
      .limit(limit)
      .offset(offset),
    db
      .select({ n: sql<number>`count(*)::int` })
      .from(images)
      .where(where),
  ]);
  return { images: found, total: total?.n ?? 0 };
}

// PAI has no word for an image that is not there yet: its lists show what can be used.
const shownInPai: ImageStatus[] = ['ACTIVE', 'ERROR'];

/** PAI's ListImages. */
export function listPaiImages(db: Executor, viewer: Viewer, query: ListImagesQuery) {
  const where = and(
    seenBy(viewer),
    inArray(images.status, shownInPai),
    query.WorkspaceId === undefined ? eq(images.visibility, 'PUBLIC') : eq(images.workspaceId, query.WorkspaceId),
    query.Name === undefined ? undefined : contains(images.name, query.Name),
    query.Query === undefined
      ? undefined
      : or(contains(images.name, query.Query), ilike(images.description, `%${escapeLike(query.Query)}%`)),
    query.ImageUri === undefined ? undefined : sql`${uri} = ${query.ImageUri}`,
    query.Accessibility === undefined ? undefined : eq(images.visibility, query.Accessibility),
    ...(query.Labels ?? []).map(holdsLabel),
  );
  const direction = query.Order === 'DESC' ? desc : asc;
  return page(
    db,
    where,
    [direction(images.createdAt), direction(images.id)],
    query.PageSize,
    (query.PageNumber - 1) * query.PageSize,
  );
}

const sortColumns = {
  create_at: images.createdAt,
  createTime: images.createdAt,
  update_at: images.updatedAt,
  updateTime: images.updatedAt,
  name: images.name,
  size: images.sizeBytes,
  status: images.status,
} as const;

export type ImageSortKey = keyof typeof sortColumns;
export const imageSortKeys = Object.keys(sortColumns) as ImageSortKey[];

/** ModelArts' ListImage, in one project; `workspaceId` is Kiln's own id. */
export function listModelArtsImages(
  db: Executor,
  viewer: Viewer,
  projectId: string,
  query: ListImageQuery & { sortKeys: ImageSortKey[]; workspaceId: string },
) {
  const shortName = sql`substring(${images.repository} from '[^/]*$')`;
  const where = and(
    seenBy(viewer),
    eq(images.projectId, projectId),
    eq(images.workspaceId, query.workspaceId),
    query.name === undefined
      ? undefined
      : query.name_fuzzy_match
        ? contains(shortName, query.name)
        : sql`${shortName} = ${query.name}`,
    query.namespace === undefined ? undefined : sql`substring(${images.repository} from '^(.*)/') = ${query.namespace}`,
    query.service_type === undefined ? undefined : eq(images.serviceType, query.service_type),
    // Kiln has no built-in images: every one was registered or built by somebody.
    query.type === 'BUILD_IN' ? sql`false` : undefined,
  );
  const direction = query.sort_dir === 'ASC' ? asc : desc;
  const order = [...query.sortKeys.map((it) => direction(sortColumns[it])), direction(images.id)];
  return page(db, where, order, query.limit, query.offset);
}

/** The ids under which workspaces are known, for rendering a page of images. */
export async function workspacesOf(
  db: Executor,
  ids: string[],
): Promise<Map<string, { modelartsId: string; isDefault: boolean }>> {
  if (ids.length === 0) return new Map();
  const rows = await db.select().from(workspaces).where(inArray(workspaces.id, ids));
  return new Map(rows.map((it) => [it.id, it]));
}
