import type { BuildBase } from '../attestations/attestations.ts';
import { and, eq, sql } from 'drizzle-orm';
import type { Viewer } from '../accounts/identity.ts';
import type { Executor } from '../db/database.ts';
import { heldStatus, type Image, images } from '../tables/images.ts';
import { watchedTags } from '../tables/watched-tags.ts';
import { lastAttempts } from '../builds/last-attempts.ts';
import { seenBy } from './image-queries.ts';

/** An entry of the catalogue, as chains of bases show it. */
export interface ChainEntry {
  paiId: string;
  name: string;
  host: string;
  repository: string;
  tag: string;
  digest: string;
}

/** An image that another one was made from. */
export interface FoundBase extends BuildBase {
  /** 1 for the bases of the image itself. */
  depth: number;
  entry: ChainEntry | undefined;
  /** What the catalogue has for the tag of `entry` by now. */
  newer: ChainEntry | undefined;
  /** What the registry had for the tag that it was named by when it was last asked, where that is another image. */
  latestDigest: string | undefined;
}

const depthMax = 20;
const columns = sql.raw(
  ['pai_id AS "paiId"', 'name', 'host', 'repository', 'tag', 'digest'].map((it) => `images.${it}`).join(', '),
);
const isThere = sql.raw(`images.status = 'ACTIVE'`);

/** What a build's last attempt started from. */
async function basesOfBuild(db: Executor, buildId: string): Promise<BuildBase[]> {
  const { rows } = await db.execute<{ bases: BuildBase[] | null }>(sql`
    SELECT a.bases FROM ${lastAttempts} WHERE b.id = ${buildId}`);
  return rows[0]?.bases ?? [];
}

type Row = ChainEntry & { buildId: string | null } & Record<string, unknown>;

/** The entry for a digest, the newest where there are several. */
async function entryOf(db: Executor, viewer: Viewer, id: string): Promise<Row | undefined> {
  const [, host = '', repository = '', digest = ''] = /^([^/]+)\/(.*)@(.*)$/.exec(id) ?? [];
  const { rows } = await db.execute<Row>(sql`
    SELECT ${columns}, images.build_id AS "buildId" FROM ${images}
    WHERE host = ${host} AND repository = ${repository} AND digest = ${digest} AND ${isThere} AND ${seenBy(viewer)}
    ORDER BY created_at DESC LIMIT 1`);
  return rows[0];
}

/** The newest entry of a tag, where that is another image by now. */
async function newerThan(db: Executor, viewer: Viewer, entry: ChainEntry): Promise<ChainEntry | undefined> {
  const { rows } = await db.execute<Row>(sql`
    SELECT ${columns} FROM ${images}
    WHERE host = ${entry.host} AND repository = ${entry.repository} AND tag = ${entry.tag} AND ${isThere}
      AND ${seenBy(viewer)} ORDER BY created_at DESC LIMIT 1`);
  return rows[0] && rows[0].digest !== entry.digest ? rows[0] : undefined;
}

/** What a base's tag names by now in its registry, where that is another image. */
async function latestThan(db: Executor, { accountId }: Viewer, base: BuildBase): Promise<string | undefined> {
  if (base.reference === undefined) return undefined;
  const [tag] = await db
    .select({ digest: watchedTags.digest, members: watchedTags.members })
    .from(watchedTags)
    .where(and(eq(watchedTags.accountId, accountId), eq(watchedTags.reference, base.reference)));
  const same = [base.id, base.index].map((it) => it?.split('@')[1]);
  if (!tag?.digest || same.includes(tag.digest) || tag.members.some((it) => it === same[0])) return undefined;
  return tag.digest;
}

/** The images that an image was made from, and those that they were made from, as far as the viewer sees them. */
export async function listBases(db: Executor, viewer: Viewer, image: Pick<Image, 'buildId'>): Promise<FoundBase[]> {
  const found: FoundBase[] = [];
  const seen = new Set<string>();
  let builds = image.buildId === null ? [] : [image.buildId];
  for (let depth = 1; builds.length > 0 && depth <= depthMax; depth += 1) {
    const next: string[] = [];
    for (const build of builds)
      for (const base of await basesOfBuild(db, build)) {
        if (seen.has(base.id)) continue;
        seen.add(base.id);
        const entry =
          (await entryOf(db, viewer, base.id)) ?? (base.index ? await entryOf(db, viewer, base.index) : undefined);
        const newer = entry && (await newerThan(db, viewer, entry));
        found.push({ ...base, depth, entry, newer, latestDigest: await latestThan(db, viewer, base) });
        if (entry?.buildId) next.push(entry.buildId);
      }
    builds = next;
  }
  return found;
}

/** The images of builds that were made from an image, directly or not, the nearest first. */
export async function listDependents(
  db: Executor,
  viewer: Viewer,
  image: Pick<Image, 'host' | 'repository' | 'digest'>,
  limit: number,
): Promise<{ total: number; dependents: (ChainEntry & { depth: number })[] }> {
  const id = `${image.host}/${image.repository}@${image.digest ?? ''}`;
  const { rows } = await db.execute<Row & { depth: number; total: number }>(sql`
    WITH RECURSIVE chain AS (
      SELECT ${id}::text AS id, NULL::uuid AS image, 0 AS depth
      UNION
      SELECT m.host || '/' || m.repository || '@' || m.digest, m.id, c.depth + 1
      FROM chain c JOIN build_attempts a ON a.bases @> jsonb_build_array(jsonb_build_object('id', c.id))
        OR a.bases @> jsonb_build_array(jsonb_build_object('index', c.id))
      JOIN builds b ON b.id = a.build_id AND b.attempt = a.attempt AND b.account_id = ${viewer.accountId}
      JOIN images m ON m.build_id = a.build_id AND m.account_id = ${viewer.accountId}
      WHERE c.depth < ${depthMax} AND m.digest IS NOT NULL
    ), nearest AS (SELECT image, min(depth) AS depth FROM chain WHERE depth > 0 GROUP BY image)
    SELECT ${columns}, nearest.depth, count(*) OVER ()::int AS total FROM nearest
    JOIN images ON images.id = nearest.image
    WHERE ${sql.raw(`images.${heldStatus}`)} AND ${seenBy(viewer)}
    ORDER BY nearest.depth, images.created_at DESC LIMIT ${limit}`);
  return {
    total: rows[0]?.total ?? 0,
    dependents: rows.map(({ paiId, name, host, repository, tag, digest, depth }) => ({
      paiId,
      name,
      host,
      repository,
      tag,
      digest,
      depth,
    })),
  };
}
