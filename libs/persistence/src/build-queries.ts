import { Fault, type BuildState, type ListBuildsQuery } from '@kiln/schemas';
import { and, asc, desc, eq, gte, ilike, inArray, lte, or, type SQL, sql } from 'drizzle-orm';
import { type Executor } from './database.ts';
import { visibleIn, type Viewer } from './identity.ts';
import { type Build } from './move-build.ts';
import { buildAttempts, buildEvents, buildLogChunks, buildPhaseTimes, builds } from './tables/builds.ts';

const seenBy = (viewer: Viewer): SQL | undefined =>
  and(
    eq(builds.accountId, viewer.accountId),
    visibleIn(viewer, builds.workspaceId),
    viewer.role === 'admin' ? undefined : or(eq(builds.accessibility, 'PUBLIC'), eq(builds.userId, viewer.userId)),
  );

/** A build by its own id or by its id as a job, if the viewer may see it. */
export async function findBuild(
  db: Executor,
  viewer: Viewer,
  by: { id: string } | { jobId: string },
): Promise<Build | undefined> {
  const wanted = 'id' in by ? eq(builds.id, by.id) : eq(builds.jobId, by.jobId);
  const [build] = await db
    .select()
    .from(builds)
    .where(and(seenBy(viewer), wanted));
  return build;
}

/** A build by id, for the workers, which act for every account. */
export async function loadBuild(db: Executor, id: string): Promise<Build | undefined> {
  const [build] = await db.select().from(builds).where(eq(builds.id, id));
  return build;
}

export const escapeLike = (text: string): string => text.replace(/[\\%_]/g, (it) => `\\${it}`);

const encodeCursor = (build: Build): string =>
  Buffer.from(`${build.createdAt.toISOString()} ${build.id}`).toString('base64url');

function decodeCursor(cursor: string): { at: Date; id: string } {
  const [at, id] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const time = new Date(at ?? '');
  if (!id || !(time.getUTCFullYear() > 0))
    throw new Fault('InvalidParameter', 'Cursor: is not one that this list gave', { field: 'Cursor' });
  return { at: time, id };
}

/** The viewer's builds, newest first. `nextCursor` is there when more follow. */
export async function listBuilds(
  db: Executor,
  viewer: Viewer,
  query: ListBuildsQuery,
): Promise<{ builds: Build[]; nextCursor: string | undefined }> {
  const after = query.Cursor === undefined ? undefined : decodeCursor(query.Cursor);
  const found = await db
    .select()
    .from(builds)
    .where(
      and(
        seenBy(viewer),
        query.WorkspaceId === undefined ? undefined : eq(builds.workspaceId, query.WorkspaceId),
        query.State === undefined ? undefined : inArray(builds.state, query.State),
        query.Name === undefined ? undefined : ilike(builds.imageName, `%${escapeLike(query.Name)}%`),
        query.ImageUri === undefined ? undefined : sql`${builds.spec}->'Image'->>'Uri' = ${query.ImageUri}`,
        query.Since === undefined ? undefined : gte(builds.createdAt, query.Since),
        query.Until === undefined ? undefined : lte(builds.createdAt, query.Until),
        after && sql`(${builds.createdAt}, ${builds.id}) < (${after.at.toISOString()}::timestamptz, ${after.id})`,
      ),
    )
    .orderBy(desc(builds.createdAt), desc(builds.id))
    .limit(query.Limit + 1);
  const page = found.slice(0, query.Limit);
  const last = page.at(-1);
  return { builds: page, nextCursor: found.length > query.Limit && last ? encodeCursor(last) : undefined };
}

export const listPhases = (db: Executor, buildId: string) =>
  db
    .select()
    .from(buildPhaseTimes)
    .where(eq(buildPhaseTimes.buildId, buildId))
    .orderBy(asc(buildPhaseTimes.attempt), asc(buildPhaseTimes.startedAt));

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

export interface LogLine {
  /** Number of the line in its attempt, from 0. */
  n: number;
  at: Date;
  text: string;
}

/**
 * Lines of an attempt's log, chunk by chunk, so that a long log is never held whole.
 * @param from number of the first line wanted
 */
export async function* readLog(
  db: Executor,
  buildId: string,
  attempt: number,
  from: number,
): AsyncGenerator<LogLine[]> {
  let next = from;
  for (;;) {
    const [chunk] = await db
      .select()
      .from(buildLogChunks)
      .where(
        and(
          eq(buildLogChunks.buildId, buildId),
          eq(buildLogChunks.attempt, attempt),
          or(
            gte(buildLogChunks.firstLine, next),
            sql`${buildLogChunks.firstLine} + cardinality(${buildLogChunks.lineTimes}) > ${next}`,
          ),
        ),
      )
      .orderBy(asc(buildLogChunks.seq))
      .limit(1);
    if (!chunk) return;
    const lines = chunk.text
      .split('\n')
      .map((text, index) => ({ n: chunk.firstLine + index, at: new Date(chunk.lineTimes[index] ?? 0), text }));
    yield lines.filter((it) => it.n >= next);
    next = chunk.firstLine + lines.length;
  }
}
