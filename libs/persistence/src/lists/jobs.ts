import { type ListJobsQuery, statesOfStatus } from '@kiln/contract';
import { and, asc, desc, eq, gte, inArray, isNull, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Database } from '../db/database.ts';
import { scopedBuilds, type ShownBuild, shownBuildColumns } from '../builds/build-queries.ts';
import { builds } from '../tables/builds.ts';
import { tallies } from '../tables/images.ts';
import { inOrderOf, pageOfIds, type RememberedLists } from './remembered.ts';
import { askIds, inScope, type ListScope, type ScopeColumns, scopeKey, shallowRows, tally } from './scope.ts';
import { containing } from './text.ts';

const dayMs = 86_400_000;
const startOfDay = (at: Date): Date => new Date(Math.floor(at.getTime() / dayMs) * dayMs);
const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/** Without times, the last seven days; to the minute, so that the same question is asked more than once. */
const defaultStart = (): Date => new Date(Math.floor(Date.now() / 60_000) * 60_000 - 7 * dayMs);

/** What both tables know. */
const countedBy = (
  scope: ListScope,
  query: ListJobsQuery,
  columns: ScopeColumns & { status: PgColumn },
): SQL | undefined =>
  and(
    inScope(scope, columns),
    query.Status === undefined ? undefined : inArray(columns.status, statesOfStatus(query.Status)),
    query.ShowOwn ? eq(columns.userId, scope.viewer.userId) : undefined,
    query.Accessibility === undefined ? undefined : eq(columns.visibility, query.Accessibility),
  );

/**
 * Counts whole days from the tallies, and the days that the range cuts from the builds themselves, in one statement.
 */
async function countJobs(db: Database, scope: ListScope, query: ListJobsQuery, start: Date): Promise<number> {
  const end = query.EndTime;
  const firstWhole = new Date(startOfDay(start).getTime() + (startOfDay(start) < start ? dayMs : 0));
  const afterWhole = end && startOfDay(end);
  const there = and(isNull(builds.jobDeletedAt), countedBy(scope, query, scopedBuilds));
  const count = (where: SQL | undefined) => sql`(SELECT count(*) FROM ${builds} WHERE ${and(there, where)})`;
  if (afterWhole && afterWhole < firstWhole) {
    const { rows } = await db.execute<{ n: number }>(
      sql`SELECT ${count(and(gte(builds.createdAt, start), lte(builds.createdAt, end)))}::int AS n`,
    );
    return rows[0]?.n ?? 0;
  }
  const days = and(
    gte(tallies.day, dayOf(firstWhole)),
    afterWhole && lt(tallies.day, dayOf(afterWhole)),
    eq(tallies.list, 'jobs'),
    countedBy(scope, query, tallies),
  );
  const before = count(and(gte(builds.createdAt, start), lt(builds.createdAt, firstWhole)));
  const after = end && afterWhole ? count(and(gte(builds.createdAt, afterWhole), lte(builds.createdAt, end))) : sql`0`;
  const { rows } = await db.execute<{ n: number }>(
    sql`SELECT ((SELECT coalesce(sum(n), 0) FROM ${tallies} WHERE ${days}) + ${before} + ${after})::int AS n`,
  );
  return rows[0]?.n ?? 0;
}

const sortColumns = {
  GmtCreateTime: builds.createdAt,
  GmtFinishTime: builds.finishedAt,
  DisplayName: builds.displayName,
  JobId: builds.jobId,
} as const;

/** DLC's ListJobs: builds that were not taken out of the list, by when they were accepted. */
export async function listJobs(
  db: Database,
  remembered: RememberedLists,
  scope: ListScope,
  query: ListJobsQuery,
): Promise<{ jobs: ShownBuild[]; total: number }> {
  if (scope.workspaceIds.length === 0 || (query.JobType !== undefined && query.JobType !== 'ImageBuild'))
    return { jobs: [], total: 0 };
  const { PageNumber, PageSize, ...key } = query;
  const offset = (PageNumber - 1) * PageSize;
  const wanted = [...(query.JobIds ?? []), ...(query.JobId === undefined ? [] : [query.JobId])];
  const filters = [
    query.DisplayName === undefined ? undefined : containing(builds.displayName, query.DisplayName),
    wanted.length === 0 ? undefined : inArray(builds.jobId, wanted),
    query.ResourceId === undefined ? undefined : sql`${builds.request}->'resources'->>'pool' = ${query.ResourceId}`,
  ].filter((it) => it !== undefined);
  // A job that is named is found however old it is.
  const start = query.StartTime ?? (wanted.length > 0 ? new Date(0) : defaultStart());
  const where = and(
    isNull(builds.jobDeletedAt),
    countedBy(scope, query, scopedBuilds),
    gte(builds.createdAt, start),
    query.EndTime && lte(builds.createdAt, query.EndTime),
    ...filters,
  );
  const direction = query.Order === 'asc' ? asc : desc;
  const order = sql.join([direction(sortColumns[query.SortBy]), direction(builds.id)], sql`, `);
  const ids = sql`SELECT ${builds.id} AS id FROM ${builds} WHERE ${where} ORDER BY ${order}`;

  if (filters.length === 0 && query.SortBy === 'GmtCreateTime' && offset + PageSize <= shallowRows) {
    const [{ rows }, total] = await Promise.all([
      db.execute<{ id: string }>(sql`${ids} LIMIT ${PageSize} OFFSET ${offset}`),
      countJobs(db, scope, query, start),
    ]);
    return {
      jobs: await byIds(
        db,
        rows.map((it) => it.id),
      ),
      total,
    };
  }
  const { version } = await tally(db, 'jobs', scope, undefined);
  const name = `jobs ${scope.viewer.userId} ${scopeKey(scope)} ${start.toISOString()} ${JSON.stringify(key)}`;
  const all = await remembered.get(version, name, () => askIds(db, ids));
  return { jobs: await byIds(db, pageOfIds(all, PageSize, offset)), total: all.count };
}

async function byIds(db: Database, ids: string[]): Promise<ShownBuild[]> {
  if (ids.length === 0) return [];
  return inOrderOf(ids, await db.select(shownBuildColumns).from(builds).where(inArray(builds.id, ids)));
}
