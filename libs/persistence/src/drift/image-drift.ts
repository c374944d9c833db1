import {
  describeFault,
  driftOf,
  type DriftErrors,
  explainDrift,
  Fault,
  isDriftError,
  parseReference,
  type Reference,
} from '@kiln/domain';
import { and, eq, inArray, isNotNull, sql } from 'drizzle-orm';
import { lastAttempts, startedFrom } from '../builds/last-attempts.ts';
import { isLiveSql } from '../builds/state-conditions.ts';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { requestSyncIn } from '../images/images.ts';
import { findPolicy } from '../policies/policies.ts';
import { type Image, images } from '../tables/images.ts';
import { markStale } from './stale-images.ts';
import { forgetTag, recordTag, type TagSchedule, type WatchedTag } from './watched-tags.ts';

/** An entry of the catalogue that has a tag. */
export interface TaggedImage extends Pick<
  Image,
  | 'id'
  | 'accountId'
  | 'workspaceId'
  | 'host'
  | 'registryConnectionId'
  | 'buildId'
  | 'status'
  | 'statusMessage'
  | 'error'
  | 'drift'
  | 'attempt'
> {
  digest: string;
  /** Whether the tag is to name it: of the builds that have set the tag, only the last one's image is. */
  holdsTag: boolean;
}

/** What a registry was found to hold for a tag. */
export interface FoundTag {
  digest: string | undefined;
  /** Digests of the images of the index that it names. */
  members: string[];
  /** Which other digests of its entries were asked for, and whether they are there. */
  others: ReadonlyMap<string, boolean>;
}

export const referenceOf = ({ reference }: WatchedTag): Reference => parseReference(reference, 'reference');

/** The entries of the catalogue that have a tag, the newest first. */
export async function listTagged(db: Executor, watched: WatchedTag): Promise<TaggedImage[]> {
  const { accountId } = watched;
  const { host, repository, tag } = referenceOf(watched);
  const { id, workspaceId, registryConnectionId, buildId, status, statusMessage, error, drift, attempt } = images;
  const { digest, via } = images;
  const rows = await db
    .select({
      ...{ id, accountId: images.accountId, workspaceId, host: images.host, registryConnectionId, buildId, status },
      ...{ statusMessage, error, drift, attempt, digest, via },
    })
    .from(images)
    .where(
      and(
        eq(images.accountId, accountId),
        eq(images.host, host),
        eq(images.repository, repository),
        eq(images.tag, tag),
        inArray(images.status, ['ACTIVE', 'ERROR']),
        isNotNull(images.digest),
      ),
    )
    .orderBy(sql`${images.createdAt} DESC`);
  const { rows: moves } = await db.execute<{ digest: string }>(sql`
    SELECT t.digest FROM tag_moves t JOIN builds b ON b.id = t.build_id AND b.account_id = ${accountId}
    WHERE t.host = ${host} AND t.repository = ${repository} AND t.tag = ${tag} ORDER BY t.seq DESC LIMIT 1`);
  return rows.map((it) => ({
    ...it,
    digest: it.digest ?? '',
    holdsTag: it.via !== 'build' || it.digest === moves[0]?.digest,
  }));
}

/** Whether a build is about to set a tag. */
export async function isBeingBuilt(db: Executor, watched: WatchedTag): Promise<boolean> {
  const { host, repository, tag } = referenceOf(watched);
  const { rowCount } = await db.execute(sql`
    SELECT FROM builds b WHERE b.account_id = ${watched.accountId} AND b.host = ${host} AND b.repository = ${repository}
      AND b.tag = ${tag} AND ${sql.raw(isLiveSql('b.'))} AND b.state <> 'queued' LIMIT 1`);
  return rowCount === 1;
}

async function isBaseOfAny(db: Executor, { accountId, reference }: WatchedTag): Promise<boolean> {
  const { rowCount } = await db.execute(sql`
    SELECT FROM ${lastAttempts} JOIN images m ON m.build_id = b.id AND m.status IN ('ACTIVE', 'ERROR')
    WHERE ${startedFrom('reference', reference)} AND b.account_id = ${accountId} LIMIT 1`);
  return rowCount === 1;
}

/** What an image's drift changes of it. */
function changeBy(image: TaggedImage, drift: Image['drift'], errors: DriftErrors): Partial<Image> {
  const earlier = image.drift ? explainDrift(image.drift) : '';
  const statusMessage = drift ? explainDrift(drift) : '';
  if (drift && image.status === 'ACTIVE' && isDriftError(errors, drift)) {
    const error = describeFault(new Fault('ImageDrifted', statusMessage), 'verify', image.attempt);
    return { drift, status: 'ERROR', statusMessage, error };
  }
  // What else there is to say of it comes first.
  return { drift, ...(image.statusMessage === earlier ? { statusMessage } : {}) };
}

/** Whether it is in ERROR for a drift that is over, or that the policy lets pass. */
const isToBeVerified = (image: TaggedImage, drift: Image['drift'], errors: DriftErrors): boolean =>
  image.status === 'ERROR' && image.error?.code === 'ImageDrifted' && !(drift && isDriftError(errors, drift));

async function settleImageDrift(tx: Executor, image: TaggedImage, found: FoundTag): Promise<void> {
  const isThere = image.digest === found.digest || found.others.get(image.digest);
  // It was not asked for, or has come since.
  if (isThere === undefined) return;
  const drift = driftOf(image, { digest: found.digest, isThere }) ?? null;
  if (drift?.kind === image.drift?.kind && drift?.digest === image.drift?.digest) return;
  const { errorOnDrift } = await findPolicy(tx, image.accountId, image.workspaceId);
  const { rowCount } = await tx
    .update(images)
    .set({ ...changeBy(image, drift, errorOnDrift), updatedAt: sql`now()` })
    // What came in between is looked at next time.
    .where(and(eq(images.id, image.id), eq(images.status, image.status), eq(images.digest, image.digest)));
  if (rowCount === 1 && isToBeVerified(image, drift, errorOnDrift)) await requestSyncIn(tx, image.id);
}

/**
 * Writes down what a registry holds for a tag: entries of the catalogue that differ from it say so, and are in ERROR where
 * their workspace's policy wants that; images that were made from another image of the tag are stale. Triggers tell of each.
 * An image that is as it was is verified anew, so that it becomes ACTIVE again. Nothing happens when the claim is stale.
 */
export async function settleTag(db: Database, tag: WatchedTag, found: FoundTag, schedule: TagSchedule): Promise<void> {
  const isBase = await isBaseOfAny(db, tag);
  const isHeld = await inTransaction(db, async (tx) => {
    const tagged = await listTagged(tx, tag);
    if (tagged.length === 0 && !isBase) {
      await forgetTag(tx, tag);
      return false;
    }
    if (!(await recordTag(tx, tag, found, schedule))) return false;
    for (const image of tagged) await settleImageDrift(tx, image, found);
    return true;
  });
  if (isHeld && isBase) await markStale(db, tag);
}
