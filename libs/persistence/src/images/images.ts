import { traceparent } from '@kiln/kit';
import { type BuildError, Fault, type ImageStep, type Label, labelsMax, type Visibility } from '@kiln/domain';
import { and, eq, ne, sql } from 'drizzle-orm';
import { isLiveSql } from '../builds/state-conditions.ts';
import { type Database, type Executor, inTransaction, runPrepared } from '../db/database.ts';
import { newLease } from '../builds/build-work.ts';
import { announce, announceRegistration } from '../outbox/outbox.ts';
import { heldImage } from './image-queries.ts';
import { heldStatus, imageLabels, images } from '../tables/images.ts';
import { atOnce } from '../tables/moment.ts';
import { acrossAccounts } from '../db/tenant-pool.ts';
import type { Image } from '../tables/images.ts';

/** What a registry was found to hold under a reference. */
export interface VerifiedImage {
  digest: string;
  mediaType: string;
  /** `os/arch` or `os/arch/variant` of each image found. */
  platforms: string[];
  /** Compressed bytes of config and layers of the image for the declared architecture. */
  sizeBytes: number;
  history: ImageStep[];
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
  publicById: boolean;
  hidden: boolean;
  arch: string;
  origin: string;
  resourceCategories: string[];
  serviceType: Image['serviceType'];
  services: string[];
  flavorType: string | null;
  sourceType: string | null;
  sourceId: string | null;
  via: Image['via'];
  registryConnectionId: string | null;
  labels: Label[];
}

const insertStatement = `
  WITH accepted AS (
    INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag,
      description, visibility, public_by_id, arch, origin, resource_categories, service_type, services, flavor_type,
      source_type, source_id, via, registry_connection_id, status, pending, hidden)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
      'INIT', true, $30
    WHERE ($22 = 'pai' OR NOT EXISTS (SELECT 1 FROM images WHERE account_id = $3 AND host = $8 AND repository = $9
        AND tag = $10 AND workspace_id = $5 AND ${heldStatus}))
      AND NOT EXISTS (SELECT 1 FROM builds WHERE workspace_id = $5 AND image_name = $7
        AND ${isLiveSql()})
    ON CONFLICT DO NOTHING RETURNING id
  ), labelled AS (
    INSERT INTO image_labels (image_id, key, value)
    SELECT accepted.id, label.key, label.value FROM accepted, unnest($24::text[], $25::text[]) AS label (key, value)
  ), told AS (
    INSERT INTO outbox (topic, key, payload, trace) SELECT $26, $27, $28, $29 FROM accepted
  )
  SELECT id FROM accepted`;

/**
 * Accepts an outside image for registration: its row, its labels and its announcement in one statement.
 * @returns 'registered' when the workspace has this reference already and the call does not let it repeat, 'id-taken'
 * when PAI's id is in use, 'name-taken' when one of the workspace's images or running builds has the name
 */
export async function insertImage(
  db: Database,
  image: NewImage,
): Promise<'accepted' | 'registered' | 'id-taken' | 'name-taken'> {
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
    image.publicById,
    image.arch,
    image.origin,
    image.resourceCategories,
    image.serviceType,
    image.services,
    image.flavorType,
    image.sourceType,
    image.sourceId,
    image.via,
    image.registryConnectionId,
    image.labels.map((it) => it.key),
    image.labels.map((it) => it.value),
    topic,
    key,
    JSON.stringify(payload),
    traceparent(),
    image.hidden,
  ]);
  if (rowCount === 1) return 'accepted';
  // Ids are one space for all accounts, so that one may be another's.
  const [sameId] = await acrossAccounts(() =>
    db.select({ id: images.id }).from(images).where(eq(images.paiId, image.paiId)),
  );
  if (sameId) return 'id-taken';
  const { accountId, workspaceId, host, repository, tag } = image;
  const [same] = await db
    .select({ id: images.id })
    .from(images)
    .where(
      and(
        eq(images.accountId, accountId),
        eq(images.workspaceId, workspaceId),
        eq(images.host, host),
        eq(images.repository, repository),
        eq(images.tag, tag),
        heldImage,
      ),
    )
    .limit(1);
  return same && image.via !== 'pai' ? 'registered' : 'name-taken';
}

/**
 * Takes an image that a registrar has to look at; undefined when somebody else holds it, it is not due, or it is done.
 */
export async function claimImage(db: Executor, id: string, worker: string): Promise<Image | undefined> {
  const [row] = await db
    .update(images)
    .set({
      status: sql`CASE ${images.status} WHEN 'INIT' THEN 'CREATING' ELSE ${images.status} END`,
      attempt: sql`${images.attempt} + 1`,
      fence: sql`nextval('fences')`,
      worker,
      leaseUntil: newLease,
    })
    .where(
      and(
        eq(images.id, id),
        eq(images.pending, true),
        sql`${images.notBefore} <= now()`,
        sql`(${images.leaseUntil} IS NULL OR ${images.leaseUntil} < now())`,
      ),
    )
    .returning();
  return row;
}

/** What became of a claimed image. */
export type Settled =
  | { outcome: 'verified'; verified: VerifiedImage & { arch: string } }
  /**
   * Not usable: a new entry is refused, one that was ACTIVE shows the ERROR, as does one that is there and that the
   * policy refuses.
   */
  | { outcome: 'refused'; error: BuildError; verified?: VerifiedImage & { arch: string } }
  /** Could not find out: tried again after `delayMs`, with the reason to read meanwhile. */
  | { outcome: 'deferred'; reason: string; delayMs: number }
  /** A deleted one was taken out of its registry, or could not be, as `message` says. */
  | { outcome: 'purged'; message: string };

/** A build's image is verified by its digest: that says nothing of its tag. */
const driftLeft = sql`CASE WHEN ${images.via} = 'build' AND ${images.drift}->>'kind' <> 'gone' THEN ${images.drift} END`;

/** Writes what became of a claimed image; false when the claim is stale. */
export async function settleImage(
  db: Executor,
  claim: { id: string; fence: number },
  settled: Settled,
): Promise<boolean> {
  const values = () => {
    switch (settled.outcome) {
      case 'verified':
        return {
          ...settled.verified,
          status: 'ACTIVE' as const,
          statusMessage: '',
          error: null,
          drift: driftLeft,
          pending: false,
        };
      case 'refused':
        return {
          ...settled.verified,
          status: settled.verified
            ? ('ERROR' as const)
            : sql`CASE ${images.status} WHEN 'CREATING' THEN 'CREATE_FAILED' ELSE 'ERROR' END`,
          statusMessage: settled.error.message,
          error: settled.error,
          pending: false,
        };
      case 'deferred':
        return {
          statusMessage: settled.reason,
          notBefore: sql`now() + make_interval(secs => ${settled.delayMs / 1000})`,
          announcedAt: sql`now()`,
        };
      case 'purged':
        return { statusMessage: settled.message, pending: false };
    }
  };
  const { rowCount } = await db
    .update(images)
    .set({ ...values(), leaseUntil: null, updatedAt: sql`now()` })
    .where(and(eq(images.id, claim.id), eq(images.fence, claim.fence), eq(images.pending, true)));
  return rowCount === 1;
}

/** Tells why nothing has come of a claimed image so far, unless that is told already. */
export const noteOnImage = (db: Executor, claim: { id: string; fence: number }, message: string) =>
  db
    .update(images)
    .set({ statusMessage: message })
    .where(
      and(
        eq(images.id, claim.id),
        eq(images.fence, claim.fence),
        eq(images.status, 'CREATING'),
        eq(images.statusMessage, ''),
      ),
    );

/** Writes the catalogue entry of a build, ACTIVE at once; undefined when its name was taken meanwhile. */
export async function insertBuiltImage(
  db: Executor,
  image: NewImage & VerifiedImage & { buildId: string },
): Promise<Image | undefined> {
  const { labels, ...columns } = image;
  const [row] = await db
    .insert(images)
    .values({ ...columns, status: 'ACTIVE' })
    .onConflictDoNothing()
    .returning();
  if (row && labels.length > 0) {
    // What was read before has left labels already; what its user says comes before that.
    await db
      .insert(imageLabels)
      .values(labels.map((it) => ({ imageId: row.id, key: it.key, value: it.value })))
      .onConflictDoUpdate({ target: [imageLabels.imageId, imageLabels.key], set: { value: sql`excluded.value` } });
  }
  return row;
}

/** Asks a registrar to look at an image again; false when it is gone, or was refused and is to be registered anew. */
export const requestSync = (db: Database, id: string): Promise<boolean> =>
  inTransaction(db, (tx) => requestSyncIn(tx, id));

export async function requestSyncIn(tx: Executor, id: string): Promise<boolean> {
  const [row] = await tx
    .update(images)
    // A look that is under way began before this was asked for: its finding would be out of date.
    .set({
      pending: true,
      fence: sql`nextval('fences')`,
      leaseUntil: null,
      notBefore: atOnce,
      announcedAt: sql`now()`,
    })
    .where(and(eq(images.id, id), heldImage))
    .returning();
  if (row) await announce(tx, announceRegistration('image', id, row.attempt));
  return row !== undefined;
}

/**
 * Takes an image out of the catalogue. The row stays, as history; whoever is at work on it finds the fence stale.
 * @param purge whether a registrar is to take its manifest out of the registry, too
 * @returns undefined when it was gone already
 */
export async function deleteImageIn(tx: Executor, id: string, purge: boolean): Promise<Image | undefined> {
  const [row] = await tx
    .update(images)
    .set({
      status: 'DELETED',
      statusMessage: '',
      fence: sql`nextval('fences')`,
      leaseUntil: null,
      pending: purge,
      notBefore: atOnce,
      announcedAt: sql`now()`,
      updatedAt: sql`now()`,
    })
    .where(and(eq(images.id, id), ne(images.status, 'DELETED')))
    .returning();
  if (row && purge) await announce(tx, announceRegistration('image', id, row.attempt));
  return row;
}

export const deleteImage = (db: Database, id: string, purge: boolean): Promise<Image | undefined> =>
  inTransaction(db, (tx) => deleteImageIn(tx, id, purge));

/** Shows an image to all members of its workspace; undefined when it is gone. */
export async function publishImage(db: Executor, id: string): Promise<Image | undefined> {
  const [row] = await db
    .update(images)
    .set({ visibility: 'PUBLIC', hidden: false, updatedAt: sql`now()` })
    .where(and(eq(images.id, id), ne(images.status, 'DELETED')))
    .returning();
  return row;
}

/**
 * Changes an image's labels: sets some, removes some.
 * @throws Fault InvalidParameter when it would have too many; nothing is changed then
 */
export const changeLabels = (db: Database, id: string, change: { put: Label[]; remove: string[] }): Promise<void> =>
  inTransaction(db, async (tx) => {
    // Locks the image, so that two calls do not both find room for their labels; and tells its lists of the change, for
    // which the time must differ even from that of a call in the same millisecond.
    await tx
      .update(images)
      .set({ updatedAt: sql`greatest(now(), ${images.updatedAt} + interval '1 ms')` })
      .where(eq(images.id, id));
    for (const key of change.remove)
      await tx.delete(imageLabels).where(and(eq(imageLabels.imageId, id), eq(imageLabels.key, key)));
    if (change.put.length === 0) return;
    await tx
      .insert(imageLabels)
      .values(change.put.map((it) => ({ imageId: id, key: it.key, value: it.value })))
      .onConflictDoUpdate({ target: [imageLabels.imageId, imageLabels.key], set: { value: sql`excluded.value` } });
    const all = await tx.select({ key: imageLabels.key }).from(imageLabels).where(eq(imageLabels.imageId, id));
    if (all.length > labelsMax)
      throw new Fault(
        'InvalidParameter',
        `Labels: the image would have ${all.length} labels, at most ${labelsMax} fit`,
        {
          field: 'Labels',
        },
      );
  });
