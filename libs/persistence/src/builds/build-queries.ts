import { type BuildState, type Lineage, type ResourceRequest, terminalStates } from '@kiln/domain';
import { and, asc, desc, eq, getTableColumns, gte, inArray, isNull, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { publicOrOwn, visibleIn, type Viewer } from '../accounts/identity.ts';
import type { Build } from '../tables/builds.ts';
import { buildAttempts, buildEvents, buildPhaseTimes, builds } from '../tables/builds.ts';

/** The columns of builds by the names that every list has. */
export const scopedBuilds = { ...getTableColumns(builds), visibility: builds.accessibility, status: builds.state };

/** The builds that a viewer sees. */
export const buildsSeenBy = (viewer: Viewer): SQL | undefined =>
  and(eq(builds.accountId, viewer.accountId), visibleIn(viewer, builds.workspaceId), publicOrOwn(viewer, scopedBuilds));

/** A build by its own id or by its id as a job, if the viewer may see it. */
export async function findBuild(
  db: Executor,
  viewer: Viewer,
  by: { id: string } | { jobId: string },
): Promise<Build | undefined> {
  const wanted = 'id' in by ? eq(builds.id, by.id) : and(eq(builds.jobId, by.jobId), isNull(builds.jobDeletedAt));
  const [build] = await db
    .select()
    .from(builds)
    .where(and(buildsSeenBy(viewer), wanted));
  return build;
}

/**
 * The build of the same repository and workspace before this one: the last that came to an image, or else to another
 * end.
 */
export async function findPreviousBuild(db: Executor, viewer: Viewer, build: Build): Promise<Build | undefined> {
  const last = (states: BuildState[]) =>
    db
      .select()
      .from(builds)
      .where(
        and(
          buildsSeenBy(viewer),
          eq(builds.workspaceId, build.workspaceId),
          eq(builds.host, build.host),
          eq(builds.repository, build.repository),
          lt(builds.createdAt, build.createdAt),
          inArray(builds.state, states),
        ),
      )
      .orderBy(desc(builds.createdAt))
      .limit(1);
  const [previous] = await last(['succeeded']);
  return previous ?? (await last(['failed', 'timed_out']))[0];
}

/** Hides a finished build from the list of jobs; false when it is not finished, or hidden already. */
export async function hideJob(db: Executor, id: string): Promise<boolean> {
  const { rowCount } = await db
    .update(builds)
    .set({ jobDeletedAt: sql`now()` })
    .where(and(eq(builds.id, id), inArray(builds.state, [...terminalStates]), isNull(builds.jobDeletedAt)));
  return rowCount === 1;
}

/** A build by id, for the workers, which act for every account. */
export async function loadBuild(db: Executor, id: string): Promise<Build | undefined> {
  const [build] = await db.select().from(builds).where(eq(builds.id, id));
  return build;
}

const { request, registryAuthsSealed, ...lightColumns } = getTableColumns(builds);

/** What a list shows of a build: without its Dockerfile, which may be long, and its credentials. */
export const shownBuildColumns = {
  ...lightColumns,
  resources: sql<ResourceRequest>`${request}->'resources'`,
};
export type ShownBuild = Omit<Build, 'request' | 'registryAuthsSealed'> & { resources: ResourceRequest };

export const showBuild = ({ request: { resources }, registryAuthsSealed, ...build }: Build): ShownBuild => ({
  ...build,
  resources,
});

export const listPhases = (db: Executor, buildId: string) =>
  db
    .select()
    .from(buildPhaseTimes)
    .where(eq(buildPhaseTimes.buildId, buildId))
    .orderBy(asc(buildPhaseTimes.attempt), asc(buildPhaseTimes.startedAt));

export interface Quarantined {
  id: string;
  account: string;
  imageName: string;
  quarantinedAt: string;
  attempts: number;
  message: string | null;
}

const inQuarantine = sql.raw(
  'b.quarantined_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM builds again WHERE again.parent_id = b.id)',
);

export async function countQuarantined(db: Executor): Promise<number> {
  const { rows } = await db.execute<{ n: number }>(sql`SELECT count(*)::int AS n FROM builds b WHERE ${inQuarantine}`);
  return rows[0]?.n ?? 0;
}

/** Builds that killed too many workers and that no operator has run again yet, oldest first. */
export async function listQuarantined(db: Executor): Promise<Quarantined[]> {
  const { rows } = await db.execute<Quarantined & Record<string, unknown>>(sql`
    SELECT b.id, a.name AS account, b.image_name AS "imageName", b.quarantined_at AS "quarantinedAt",
      b.attempt AS attempts, b.error->>'message' AS message FROM builds b
    LEFT JOIN accounts a ON a.id = b.account_id
    WHERE ${inQuarantine}
    ORDER BY b.quarantined_at`);
  return rows;
}

export interface Repeat {
  id: string;
  lineage: Lineage;
  state: BuildState;
}

/** Builds that do a build again, oldest first. */
export const listRepeats = async (db: Executor, parentId: string): Promise<Repeat[]> => {
  const rows = await db
    .select({ id: builds.id, lineage: builds.lineage, state: builds.state })
    .from(builds)
    .where(eq(builds.parentId, parentId))
    .orderBy(asc(builds.createdAt));
  return rows.map((it) => ({ ...it, lineage: it.lineage ?? 'retry' }));
};

export const listAttempts = (db: Executor, buildId: string) =>
  db.select().from(buildAttempts).where(eq(buildAttempts.buildId, buildId)).orderBy(asc(buildAttempts.attempt));

export interface BuildEvent {
  at: Date;
  state: BuildState;
  attempt: number;
  message: string;
}

export const listEvents = (
  db: Executor,
  buildId: string,
  range: { since?: Date; until?: Date; limit: number },
): Promise<BuildEvent[]> =>
  db
    .select({
      at: buildEvents.at,
      state: buildEvents.state,
      attempt: buildEvents.attempt,
      message: buildEvents.message,
    })
    .from(buildEvents)
    .where(
      and(
        eq(buildEvents.buildId, buildId),
        range.since && gte(buildEvents.at, range.since),
        range.until && lte(buildEvents.at, range.until),
      ),
    )
    .orderBy(asc(buildEvents.id))
    .limit(range.limit);
