import { type BuildError, type Label, type Visibility } from '@kiln/schemas';
import { and, eq, inArray, sql } from 'drizzle-orm';
import { type Database, type Executor } from './database.ts';
import { registrationLeaseSeconds } from './build-work.ts';
import { announce, announceRegistration } from './outbox.ts';
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

/**
 * Accepts an outside image for registration: its row and its announcement in one transaction.
 * @returns undefined when the project has this reference registered already, and 'name-taken' when a build or image of
 * the workspace holds the name
 */
export const insertImage = (db: Database, image: NewImage): Promise<Image | 'name-taken' | undefined> =>
  db.transaction(async (tx) => {
    // One registration of a reference at a time: the lock is held for this short transaction only.
    const key = `${image.projectId} ${image.host}/${image.repository}:${image.tag}`;
    await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`);
    const held = await tx
      .select({ id: images.id })
      .from(images)
      .where(
        and(
          eq(images.accountId, image.accountId),
          eq(images.host, image.host),
          eq(images.repository, image.repository),
          eq(images.tag, image.tag),
          eq(images.workspaceId, image.workspaceId),
          inArray(images.status, ['INIT', 'CREATING', 'ACTIVE', 'ERROR']),
        ),
      )
      .limit(1);
    if (held.length > 0) return undefined;
    const [row] = await tx
      .insert(images)
      .values({ ...image, status: 'INIT' })
      .onConflictDoNothing()
      .returning();
    if (!row) return 'name-taken';
    await announce(tx, announceRegistration('image', row.id, 0));
    return row;
  });

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
