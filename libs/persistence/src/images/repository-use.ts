import { and, eq, inArray, ne } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { heldImage } from './image-queries.ts';
import type { Image } from '../tables/images.ts';
import { builds } from '../tables/builds.ts';
import { images } from '../tables/images.ts';

/** What else, of whatever account, the catalogue has of a repository: to find out who needs a manifest. */
export interface RepositoryUse {
  /** Other entries that stand for a manifest. */
  entries: { digest: string; mediaType: string | null }[];
  /** Whether a build or an entry is on its way whose manifest is not known yet. */
  unsettled: boolean;
}

export async function useOfRepository(db: Executor, image: Image): Promise<RepositoryUse> {
  const here = and(eq(images.host, image.host), eq(images.repository, image.repository));
  const others = await db
    .select({ digest: images.digest, mediaType: images.mediaType })
    .from(images)
    .where(and(here, ne(images.id, image.id), heldImage));
  const published = await db
    .select({ id: builds.id })
    .from(builds)
    .where(
      and(
        eq(builds.host, image.host),
        eq(builds.repository, image.repository),
        inArray(builds.state, ['publishing', 'registering']),
      ),
    )
    .limit(1);
  return {
    entries: others.flatMap(({ digest, mediaType }) => (digest === null ? [] : [{ digest, mediaType }])),
    unsettled: published.length > 0 || others.some((it) => it.digest === null),
  };
}
