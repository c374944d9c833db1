import { type BuildError, type Label, type Visibility } from '@kiln/schemas';
import { and, eq, inArray, notInArray, sql } from 'drizzle-orm';
import { type Database, type Executor, runPrepared } from './database.ts';
import { registrationLeaseSeconds } from './build-work.ts';
import { announceRegistration } from './outbox.ts';
import { imageLabels, images } from './tables/images.ts';

export type Image = typeof images.$inferSelect;

/** What a registry was found to hold under a reference. */
export interface VerifiedImage {
  digest: string;
  mediaType: string;
  /** `os/arch` or `os/arch/variant` of each image found. */
  platforms: string[];
  /** Compressed bytes of config and layers of the image for the declared architecture. */
  sizeBytes: number;
}

export interface NewImage {
  id: string;
  paiId: string;
  accountId: string;
  projectId: string;
  workspaceId: string;
  userId: string;
  name: string;
  host: string;
  repository: string;
  tag: string;
  description: string;
  visibility: Visibility;
  arch: string;
  origin: string;
  resourceCategories: string[];
  serviceType: string;
  services: string[];
  flavorType: string | null;
}

const insertStatement = `
  WITH accepted AS (
    INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, description,
      visibility, arch, origin, resource_categories, service_type, services, flavor_type, status)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 'INIT'
    WHERE NOT EXISTS (SELECT 1 FROM images WHERE account_id = $3 AND host = $8 AND repository = $9 AND tag = $10
        AND workspace_id = $5 AND status NOT IN ('DELETED', 'CREATE_FAILED'))
      AND NOT EXISTS (SELECT 1 FROM builds WHERE workspace_id = $5 AND image_name = $7
        AND state IN ('queued', 'assigned', 'running', 'publishing', 'registering', 'cancelling'))
    ON CONFLICT DO NOTHING RETURNING id
  ), told AS (
    INSERT INTO outbox (topic, key, payload) SELECT $19, $20, $21 FROM accepted
  )
  SELECT id FROM accepted`;

/**
 * Accepts an outside image for registration: its row and its announcement in one statement.
 * @returns 'registered' when the workspace has this reference already, 'name-taken' when one of its images or running
 * builds has the name
 */
export async function insertImage(db: Database, image: NewImage): Promise<'accepted' | 'registered' | 'name-taken'> {
  const { topic, key, payload } = announceRegistration('image', image.id, 0);
  const { rowCount } = await runPrepared(db, 'insert-image', insertStatement, [
    image.id,
    image.paiId,
    image.accountId,
    image.projectId,
    image.workspaceId,
    image.userId,
    image.name,
    image.host,
    image.repository,
    image.tag,
    image.description,
    image.visibility,
    image.arch,
    image.origin,
    image.resourceCategories,
    image.serviceType,
    image.services,
    image.flavorType,
    topic,
    key,
    JSON.stringify(payload),
  ]);
  if (rowCount === 1) return 'accepted';
  const same = await db
    .select({ id: images.id })
    .from(images)
    .where(
      and(
        eq(images.accountId, image.accountId),
        eq(images.host, image.host),
        eq(images.repository, image.repository),
        eq(images.tag, image.tag),
        eq(images.workspaceId, image.workspaceId),
        notInArray(images.status, ['DELETED', 'CREATE_FAILED']),
      ),
    )
    .limit(1);
  return same.length > 0 ? 'registered' : 'name-taken';
}

/** Takes an image for verification; undefined when somebody else holds it, it is not due, or it is finished. */
export async function claimImage(db: Executor, id: string): Promise<Image | undefined> {
  const [row] = await db
    .update(images)
    .set({
      status: 'CREATING',
      attempt: sql`${images.attempt} + 1`,
      fence: sql`nextval('fences')`,
      leaseUntil: sql`now() + make_interval(secs => ${registrationLeaseSeconds})`,
      updatedAt: sql`now()`,
    })
    .where(
      and(
        eq(images.id, id),
        inArray(images.status, ['INIT', 'CREATING']),
        sql`${images.notBefore} <= now()`,
        sql`(${images.leaseUntil} IS NULL OR ${images.leaseUntil} < now())`,
      ),
    )
    .returning();
  return row;
}

type Settled =
  | { status: 'ACTIVE'; verified: VerifiedImage }
  | { status: 'CREATE_FAILED'; error: BuildError }
  /** Could not find out: tried again after `delayMs`, with the reason to read meanwhile. */
  | { status: 'CREATING'; reason: string; delayMs: number };

/** Writes what became of a claimed image; false when the claim is stale. */
export async function settleImage(
  db: Executor,
  claim: { id: string; fence: number },
  settled: Settled,
): Promise<boolean> {
  const values = {
    ACTIVE: () => settled.status === 'ACTIVE' && { ...settled.verified, statusMessage: '', error: null },
    CREATE_FAILED: () =>
      settled.status === 'CREATE_FAILED' && { statusMessage: settled.error.message, error: settled.error },
    CREATING: () =>
      settled.status === 'CREATING' && {
        statusMessage: settled.reason,
        notBefore: sql`now() + make_interval(secs => ${settled.delayMs / 1000})`,
        announcedAt: sql`now()`,
      },
  }[settled.status]();
  const { rowCount } = await db
    .update(images)
    .set({ ...values, status: settled.status, leaseUntil: null, updatedAt: sql`now()` })
    .where(and(eq(images.id, claim.id), eq(images.fence, claim.fence), eq(images.status, 'CREATING')));
  return rowCount === 1;
}

/** Writes the catalogue entry of a build, ACTIVE at once; undefined when its name was taken meanwhile. */
export async function insertBuiltImage(
  db: Executor,
  image: NewImage & VerifiedImage & { buildId: string; labels: Label[] },
): Promise<Image | undefined> {
  const { labels, ...columns } = image;
  const [row] = await db
    .insert(images)
    .values({ ...columns, status: 'ACTIVE' })
    .onConflictDoNothing()
    .returning();
  if (row && labels.length > 0) {
    await db.insert(imageLabels).values(labels.map((it) => ({ imageId: row.id, key: it.Key, value: it.Value })));
  }
  return row;
}

/** Takes an image out of the catalogue. The row stays, as history; a registration that is under way finds its fence stale. */
export async function deleteImage(db: Executor, id: string): Promise<Image | undefined> {
  const [row] = await db
    .update(images)
    .set({ status: 'DELETED', fence: sql`nextval('fences')`, leaseUntil: null, updatedAt: sql`now()` })
    .where(and(eq(images.id, id), sql`${images.status} <> 'DELETED'`))
    .returning();
  return row;
}
