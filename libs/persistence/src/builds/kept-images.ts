import { terminalStates } from '@kiln/domain';
import { and, eq, inArray, sql } from 'drizzle-orm';
import { type Executor } from '../db/database.ts';
import { builds } from '../tables/builds.ts';

const images = (rows: { image: string | null }[]): string[] => rows.flatMap((it) => it.image ?? []);

/** Images that builds want to find again in a store. */
export const listKept = async (db: Executor, store: string): Promise<string[]> =>
  images(await db.select({ image: builds.keptImage }).from(builds).where(eq(builds.keptOn, store)));

/** Builds that were admitted for the builder with this store. */
export const listWaitingForStore = (
  db: Executor,
  store: string,
  pool: string,
): Promise<{ id: string; attempt: number }[]> =>
  db
    .select({ id: builds.id, attempt: builds.attempt })
    .from(builds)
    .where(
      and(
        eq(builds.keptOn, store),
        eq(builds.pool, pool),
        eq(builds.state, 'queued'),
        sql`${builds.admittedAt} IS NOT NULL`,
      ),
    );

/** Nobody will find an image again. */
export const forgetKept = (db: Executor, store: string, image: string) =>
  db
    .update(builds)
    .set({ keptOn: null, keptImage: null })
    .where(and(eq(builds.keptOn, store), eq(builds.keptImage, image)));

/** Images of a store that have been kept for long enough, and that no live build waits for. */
export const expireKept = async (db: Executor, store: string, seconds: number): Promise<string[]> =>
  images(
    await db
      .select({ image: builds.keptImage })
      .from(builds)
      .where(
        and(
          eq(builds.keptOn, store),
          inArray(builds.state, [...terminalStates]),
          sql`${builds.finishedAt} < now() - make_interval(secs => ${seconds})`,
          sql`NOT EXISTS (SELECT 1 FROM builds again
            WHERE again.kept_on = ${store} AND again.kept_image = ${builds.keptImage} AND again.finished_at IS NULL)`,
        ),
      ),
  );
