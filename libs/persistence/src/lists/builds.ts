import { fieldFault } from '@kiln/domain';
import type { ListBuildsQuery } from '@kiln/contract';
import { and, desc, gte, inArray, lte, sql } from 'drizzle-orm';
import { scopedBuilds, type ShownBuild, shownBuildColumns } from '../builds/build-queries.ts';
import type { Executor } from '../db/database.ts';
import { builds } from '../tables/builds.ts';
import { inScope, type ListScope } from './scope.ts';
import { containingLower, hasReference } from './text.ts';

const encodeCursor = (build: ShownBuild): string =>
  Buffer.from(`${build.createdAt.toISOString()} ${build.id}`).toString('base64url');

function decodeCursor(cursor: string): { at: Date; id: string } {
  const [at, id] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const time = new Date(at ?? '');
  if (!id || !/^[\w-]+$/.test(id) || !(time.getUTCFullYear() > 0) || time.getUTCFullYear() > 9000)
    throw fieldFault('InvalidParameter', 'Cursor', 'is not one that this list gave');
  return { at: time, id };
}

/** Kiln's own list of builds, newest first. `nextCursor` is there when more follow. */
export async function listBuilds(
  db: Executor,
  scope: ListScope,
  query: ListBuildsQuery,
): Promise<{ builds: ShownBuild[]; nextCursor: string | undefined }> {
  if (scope.workspaceIds.length === 0) return { builds: [], nextCursor: undefined };
  const after = query.Cursor === undefined ? undefined : decodeCursor(query.Cursor);
  const found = await db
    .select(shownBuildColumns)
    .from(builds)
    .where(
      and(
        inScope(scope, scopedBuilds),
        query.State === undefined ? undefined : inArray(builds.state, query.State),
        query.Name === undefined ? undefined : containingLower(builds.imageName, query.Name),
        query.ImageUri === undefined ? undefined : hasReference(builds, query.ImageUri),
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
