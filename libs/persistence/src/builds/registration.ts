import { and, eq, notInArray, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { whileLocked } from '../db/locks.ts';
import { newLease, recordPhase } from './build-work.ts';
import { insertBuiltImage, type NewImage, type VerifiedImage } from '../images/images.ts';
import type { Image } from '../tables/images.ts';
import { countEnd, moveBuildIn } from './move-build.ts';
import type { Build } from '../tables/builds.ts';
import { formatReference, goneStatuses, type Reference } from '@kiln/domain';
import { builds } from '../tables/builds.ts';
import { tagMoves } from '../tables/images.ts';

/**
 * Takes a pushed build for verification and tagging, with a fence of its own; undefined when it is not there to take.
 */
export async function claimRegistration(
  db: Executor,
  id: string,
  attempt: number,
  worker: string,
): Promise<Build | undefined> {
  const [build] = await db
    .update(builds)
    .set({
      fence: sql`nextval('fences')`,
      worker,
      leaseUntil: newLease,
      updatedAt: sql`now()`,
    })
    .where(
      and(
        eq(builds.id, id),
        eq(builds.state, 'registering'),
        eq(builds.attempt, attempt),
        sql`${builds.notBefore} <= now()`,
        sql`(${builds.leaseUntil} IS NULL OR ${builds.leaseUntil} < now())`,
      ),
    )
    .returning();
  return build;
}

/** Puts a registration off because the registry cannot be asked now; false when the claim is stale. */
export async function deferRegistration(
  db: Executor,
  claim: { id: string; fence: number },
  delayMs: number,
): Promise<boolean> {
  const { rowCount } = await db
    .update(builds)
    .set({
      leaseUntil: null,
      worker: null,
      notBefore: sql`now() + make_interval(secs => ${delayMs / 1000})`,
      announcedAt: sql`now()`,
      updatedAt: sql`now()`,
    })
    .where(and(eq(builds.id, claim.id), eq(builds.fence, claim.fence), eq(builds.state, 'registering')));
  return rowCount === 1;
}

/** Runs `work` as the only one that sets this reference's tag, on every registrar. */
export const withTagLock = <T>(db: Database, reference: Reference, work: () => Promise<T>): Promise<T> =>
  whileLocked(db, `tag ${formatReference(reference)}`, work);

/** What became of a build's wish to move its tag. */
export type TagMove =
  /** The tag is to be set. */
  | 'committed'
  /** It is committed, and so is a newer move, which decides the tag. */
  | 'overtaken'
  /** Another build is setting this very tag, which only happens when the tag's lock was lost. */
  | 'busy'
  /** Another image has taken the name; the tag must not be moved. */
  | 'name-taken'
  /** The claim is stale, or the build was cancelled. */
  | 'not-held';

/**
 * The commit point of a build: decides, under its fence, that its tag is to be moved, and gives the move its place in
 * the reference's order. From here on a cancel comes too late. Doing it again gives the same place.
 */
export async function commitTagMove(
  db: Executor,
  { id, fence, host, repository, tag, workspaceId, imageName }: Build,
  digest: string,
): Promise<TagMove> {
  const isThisTag = sql`host = ${host} AND repository = ${repository} AND tag = ${tag}`;
  const { rows } = await db.execute<{ busy: boolean; held: boolean; named: boolean; overtaken: boolean }>(sql`
    WITH setting AS (
      SELECT 1 FROM builds
      WHERE state = 'registering' AND phase = 'tag' AND id <> ${id} AND ${isThisTag} AND lease_until > now()
    ), named AS (
      SELECT 1 FROM images
      WHERE workspace_id = ${workspaceId} AND name = ${imageName} AND ${notInArray(sql`status`, [...goneStatuses])}
    ), held AS (
      UPDATE builds SET phase = 'tag', updated_at = now(),
        phase_started_at = CASE WHEN phase = 'tag' THEN phase_started_at ELSE now() END
      WHERE id = ${id} AND fence = ${fence} AND state = 'registering' AND cancel_requested_at IS NULL
        AND NOT EXISTS (SELECT FROM setting)
      RETURNING id
    ), moved AS (
      INSERT INTO tag_moves (host, repository, tag, digest, build_id, seq)
      SELECT ${host}, ${repository}, ${tag}, ${digest}, id,
        (SELECT coalesce(max(seq), 0) + 1 FROM tag_moves WHERE ${isThisTag})
      FROM held WHERE NOT EXISTS (SELECT FROM named)
      ON CONFLICT (build_id) DO NOTHING
    )
    SELECT EXISTS (SELECT FROM setting) AS busy, EXISTS (SELECT FROM held) AS held, EXISTS (SELECT FROM named) AS named,
      -- Of what was there before: a move that was made just now is the newest.
      coalesce((SELECT max(seq) > max(seq) FILTER (WHERE build_id = ${id}) FROM tag_moves WHERE ${isThisTag}), false)
        AS overtaken`);
  const [found] = rows;
  if (!found) throw new Error('a statement without a FROM has one row');
  if (found.busy) return 'busy';
  if (!found.held) return 'not-held';
  if (found.named) return 'name-taken';
  return found.overtaken ? 'overtaken' : 'committed';
}

/** Whether a build has passed its commit point: an earlier registrar may have set the tag already. */
export async function hasTagMove(db: Executor, buildId: string): Promise<boolean> {
  const rows = await db.select({ seq: tagMoves.seq }).from(tagMoves).where(eq(tagMoves.buildId, buildId));
  return rows.length > 0;
}

/**
 * Ends a build well: the catalogue entry, the terminal state and its event, in one transaction under the fence.
 * @returns undefined when the claim is stale; 'name-taken' when another image took the name meanwhile
 */
export const succeedBuild = async (
  db: Database,
  build: Build,
  image: NewImage & VerifiedImage,
  tagStartedAtMs: number,
): Promise<Image | 'name-taken' | undefined> => {
  try {
    const published = await inTransaction(db, async (tx) => {
      const entry = await insertBuiltImage(tx, { ...image, buildId: build.id });
      if (!entry) throw new NameTaken();
      await recordPhase(tx, build, { phase: 'tag', startedAtMs: tagStartedAtMs, result: 'ok' });
      const moved = await moveBuildIn(tx, {
        id: build.id,
        from: ['registering'],
        to: 'succeeded',
        fence: build.fence,
        message: `published ${image.digest}`,
        set: { imageId: entry.id, digest: image.digest, sizeBytes: image.sizeBytes },
      });
      if (!moved) throw new StaleClaim();
      await recordHowLong(tx, build);
      return entry;
    });
    countEnd({ state: 'succeeded', error: null });
    return published;
  } catch (error) {
    if (error instanceof NameTaken) return 'name-taken';
    if (error instanceof StaleClaim) return undefined;
    throw error;
  }
};

/**
 * Remembers how long an account's builds take on a builder that has its cache and on others, which the dispatcher holds
 * against waiting for the cache. What is newer counts more.
 */
const recordHowLong = async (tx: Executor, { id, attempt, accountId, pool, cacheKey }: Build): Promise<void> => {
  // Without a beginning there is nothing that could come from a cache.
  if (cacheKey === '') return;
  await tx.execute(sql`
    WITH it AS (
      SELECT extract(epoch FROM ended_at - started_at)::float8 AS took, placement->>'why' = 'warm' AS warm
      FROM build_attempts WHERE build_id = ${id} AND attempt = ${attempt} AND placement IS NOT NULL
    )
    UPDATE account_turns t SET
      warm_seconds = CASE WHEN warm THEN coalesce(t.warm_seconds * 0.7 + took * 0.3, took) ELSE t.warm_seconds END,
      cold_seconds = CASE WHEN warm THEN t.cold_seconds ELSE coalesce(t.cold_seconds * 0.7 + took * 0.3, took) END
    FROM it WHERE t.account_id = ${accountId} AND t.pool = ${pool}`);
};

// Thrown inside the transaction above to roll it back.
class NameTaken extends Error {}
class StaleClaim extends Error {}
