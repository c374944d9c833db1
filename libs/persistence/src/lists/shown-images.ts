import type { Label } from '@kiln/domain';
import { eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import type { Image } from '../tables/images.ts';
import { imageLabels, images } from '../tables/images.ts';
import { inOrderOf } from './remembered.ts';

type Shown =
  | 'id' | 'paiId' | 'accountId' | 'projectId' | 'workspaceId' | 'userId' | 'name' | 'host' | 'repository' | 'tag'
  | 'description' | 'visibility' | 'hidden' | 'arch' | 'origin' | 'resourceCategories' | 'serviceType' | 'services' | 'flavorType'
  | 'sourceType' | 'sourceId' | 'registryConnectionId' | 'status' | 'statusMessage' | 'digest' | 'sizeBytes'
  | 'createdAt' | 'updatedAt'; // prettier-ignore

/** What the dialects show of an image, with its labels. */
export type ShownImage = Pick<Image, Shown> & { labels: Label[] };

/** An image that was read whole, with its labels. */
export async function showImage(db: Executor, image: Image): Promise<ShownImage> {
  const rows = await db.select().from(imageLabels).where(eq(imageLabels.imageId, image.id)).orderBy(imageLabels.key);
  return { ...image, labels: rows.map((it) => ({ key: it.key, value: it.value })) };
}

// Lists read many rows: these come in forms that cost the driver little to read.
const columns = sql.raw(`
  id, pai_id AS "paiId", account_id AS "accountId", project_id AS "projectId", workspace_id AS "workspaceId",
  user_id AS "userId", name, host, repository, tag, description, visibility, hidden, arch, origin,
  to_json(resource_categories) AS "resourceCategories", service_type AS "serviceType", to_json(services) AS services,
  flavor_type AS "flavorType", source_type AS "sourceType", source_id AS "sourceId",
  registry_connection_id AS "registryConnectionId", status, status_message AS "statusMessage", digest,
  size_bytes::float8 AS "sizeBytes", extract(epoch FROM created_at)::float8 * 1000 AS "createdAt",
  extract(epoch FROM updated_at)::float8 * 1000 AS "updatedAt",
  (SELECT coalesce(json_agg(json_build_object('key', l.key, 'value', l.value) ORDER BY l.key), '[]')
   FROM image_labels l WHERE l.image_id = images.id) AS labels`);

type Times = 'createdAt' | 'updatedAt';
type Row = Omit<ShownImage, Times> & Record<Times, number> & Record<string, unknown>;

/** @param rest what follows `SELECT … FROM images` */
export async function readImages(db: Executor, rest: SQL): Promise<ShownImage[]> {
  const { rows } = await db.execute<Row>(sql`SELECT ${columns} FROM ${images} ${rest}`);
  const time = (ms: number) => new Date(Math.round(ms));
  return rows.map((it) => ({ ...it, createdAt: time(it.createdAt), updatedAt: time(it.updatedAt) }));
}

/** Images in the order of their ids. */
export async function readImagesById(db: Executor, ids: string[]): Promise<ShownImage[]> {
  if (ids.length === 0) return [];
  return inOrderOf(ids, await readImages(db, sql`WHERE ${inArray(images.id, ids)}`));
}
