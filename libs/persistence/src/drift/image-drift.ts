import {
  describeFault,
  driftOf,
  type DriftErrors,
  explainDrift,
  Fault,
  isDriftError,
  parseImageName,
} from '@kiln/domain';
import { and, eq, inArray, isNotNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { requestSync } from '../images/images.ts';
import { findPolicy } from '../policies/policies.ts';
import { type Image, images } from '../tables/images.ts';
import { forgetTag, recordTag, type TagSchedule, type WatchedTag } from './watched-tags.ts';

/** An entry of the catalogue that has a tag. */
export interface TaggedImage extends Pick<
  Image,
  'id' | 'accountId' | 'workspaceId' | 'status' | 'statusMessage' | 'drift' | 'attempt'
> {
  digest: string;
  /** Whether the tag is to name it: of the builds of one tag, only the last one's image does. */
  holdsTag: boolean;
}

/** What a registry was found to hold for a tag. */
export interface FoundTag {
  digest: string | undefined;
  /** Digests of the images of the index that it names. */
  members: string[];
  /** Those of the digests of its entries that are there. */
  there: ReadonlySet<string>;
}

/** The entries of the catalogue that have a tag. */
export async function listTagged(db: Executor, { accountId, reference }: WatchedTag): Promise<TaggedImage[]> {
  const { host, repository, reference: tag } = parseImageName(reference);
  const rows = await db
    .select()
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
  const last = rows.find((it) => it.via === 'build');
  return rows.map((it) => ({
    ...it,
    digest: it.digest ?? '',
    holdsTag: it.via !== 'build' || it.digest === last?.digest,
  }));
}

const isBase = (reference: string) => sql`a.bases @> ${JSON.stringify([{ reference }])}::jsonb`;
const builtFrom = (accountId: string, reference: string) => sql`
  build_attempts a JOIN builds b ON b.id = a.build_id AND b.attempt = a.attempt
  JOIN images m ON m.build_id = b.id AND m.account_id = b.account_id AND m.status IN ('ACTIVE', 'ERROR')
  WHERE ${isBase(reference)} AND b.account_id = ${accountId}`;

/** Marks images as stale one of whose bases has another image by now, and no longer those of which none has. */
const markStale = (tx: Executor, { accountId, reference }: WatchedTag) =>
  tx.execute(sql`
    UPDATE images SET stale = found.stale FROM (
      SELECT m.id, EXISTS (SELECT FROM jsonb_array_elements(a.bases) base
        JOIN watched_tags w ON w.account_id = b.account_id AND w.reference = base->>'reference'
        WHERE w.digest NOT IN (split_part(base->>'id', '@', 2), split_part(coalesce(base->>'index', ''), '@', 2))
          AND NOT split_part(base->>'id', '@', 2) = ANY (w.members)) AS stale
      FROM ${builtFrom(accountId, reference)}) found
    WHERE images.id = found.id AND images.stale <> found.stale`);

async function isBaseOfAny(db: Executor, { accountId, reference }: WatchedTag): Promise<boolean> {
  const { rowCount } = await db.execute(sql`SELECT FROM ${builtFrom(accountId, reference)} LIMIT 1`);
  return rowCount === 1;
}

/** What an image's drift changes of it. */
function changeBy(image: TaggedImage, drift: Image['drift'], errors: DriftErrors): Partial<Image> {
  const earlier = image.drift ? explainDrift(image.drift) : '';
  if (!drift) return { drift, ...(image.statusMessage === earlier ? { statusMessage: '' } : {}) };
  const statusMessage = explainDrift(drift);
  if (image.status === 'ACTIVE' && isDriftError(errors, drift)) {
    const error = describeFault(new Fault('ImageDrifted', statusMessage), 'verify', image.attempt);
    return { drift, status: 'ERROR', statusMessage, error };
  }
  // What else there is to say of it comes first.
  return { drift, ...(image.statusMessage === earlier ? { statusMessage } : {}) };
}

/**
 * Writes down what a registry holds for a tag: entries of the catalogue that differ from it say so, and are in ERROR where
 * their workspace's policy wants that; images that were made from another image of the tag are stale. Triggers tell of each.
 * An image that is as it was is verified anew, so that it becomes ACTIVE again.
 */
export async function settleTag(db: Database, tag: WatchedTag, found: FoundTag, schedule: TagSchedule): Promise<void> {
  const mended = await inTransaction(db, async (tx) => {
    const tagged = await listTagged(tx, tag);
    const isUsed = tagged.length > 0 || (await isBaseOfAny(tx, tag));
    if (!isUsed) {
      await forgetTag(tx, tag);
      return [];
    }
    await recordTag(tx, tag, found, schedule);
    await markStale(tx, tag);
    const again: string[] = [];
    for (const image of tagged) {
      const drift = driftOf(image, found) ?? null;
      if (drift?.kind === image.drift?.kind && drift?.digest === image.drift?.digest) continue;
      const { errorOnDrift } = await findPolicy(tx, image.accountId, image.workspaceId);
      if (drift === null && image.status === 'ERROR') again.push(image.id);
      await tx
        .update(images)
        .set({ ...changeBy(image, drift, errorOnDrift), updatedAt: sql`now()` })
        // What came in between is looked at next time.
        .where(and(eq(images.id, image.id), eq(images.status, image.status), eq(images.digest, image.digest)));
    }
    return again;
  });
  for (const id of mended) await requestSync(db, id);
}
