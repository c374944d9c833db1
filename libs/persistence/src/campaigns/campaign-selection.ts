import { basesFirst, fieldFault, globOf } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import type { Viewer } from '../accounts/identity.ts';
import { lastAttempts } from '../builds/last-attempts.ts';
import type { Executor } from '../db/database.ts';
import { listDependents } from '../images/base-chain.ts';
import { seenBy } from '../images/image-queries.ts';
import { type Image, images } from '../tables/images.ts';

/** Which images of a workspace a campaign is for: those of which all that is given is true. */
export interface CampaignSelection {
  workspaceId: string;
  stale?: boolean | undefined;
  /** Patterns of repositories, without the host. */
  repositories?: string[] | undefined;
  /** PAI's ids. */
  imageIds?: string[] | undefined;
  /** Those that were made from it, directly or not. */
  madeFrom?: Pick<Image, 'host' | 'repository' | 'digest'> | undefined;
}

/** An image that can be built anew: the last one of its tag that a build has made. */
export interface RebuildableImage {
  imageId: string;
  paiId: string;
  name: string;
  sourceBuildId: string;
  /** `host/repository:tag` */
  reference: string;
  /** The same of what it was made from. */
  bases: string[];
}

type Row = Omit<RebuildableImage, 'reference'> & { host: string; repository: string; tag: string; stale: boolean };

const dependentsMax = 100_000;

/** Images that a campaign would build anew, each after those that it is made from. */
export async function selectForCampaign(
  db: Executor,
  viewer: Viewer,
  { workspaceId, stale, repositories, imageIds, madeFrom }: CampaignSelection,
): Promise<RebuildableImage[]> {
  const { rows } = await db.execute<Row & Record<string, unknown>>(sql`
    SELECT DISTINCT ON (images.host, images.repository, images.tag) images.id AS "imageId", images.pai_id AS "paiId",
      images.name, images.host, images.repository, images.tag, images.stale, images.build_id AS "sourceBuildId",
      coalesce((SELECT jsonb_agg(base->>'reference') FROM ${lastAttempts}
        CROSS JOIN LATERAL jsonb_array_elements(a.bases) base
        WHERE b.id = images.build_id AND base ? 'reference'), '[]') AS bases
    FROM ${images} WHERE images.workspace_id = ${workspaceId} AND images.via = 'build' AND images.build_id IS NOT NULL
      AND images.status IN ('ACTIVE', 'ERROR') AND ${seenBy(viewer)}
    ORDER BY images.host, images.repository, images.tag, images.created_at DESC`);
  const globs = repositories?.map(globOf);
  const made = madeFrom && (await listDependents(db, viewer, madeFrom, dependentsMax));
  if (made && made.total > dependentsMax)
    throw fieldFault(
      'InvalidParameter',
      'MadeFrom',
      `${made.total} images were made from it; name repositories instead`,
    );
  const dependents = made && new Set(made.dependents.map((it) => it.paiId));
  const chosen = rows.filter(
    (it) =>
      (stale === undefined || it.stale === stale) &&
      (!globs || globs.some((fits) => fits?.(it.repository))) &&
      (!imageIds || imageIds.includes(it.paiId)) &&
      (!dependents || dependents.has(it.paiId)),
  );
  return basesFirst(
    chosen.map(({ host, repository, tag, imageId, paiId, name, sourceBuildId, bases }) => ({
      imageId,
      paiId,
      name,
      sourceBuildId,
      reference: `${host}/${repository}:${tag}`,
      bases,
    })),
  );
}
