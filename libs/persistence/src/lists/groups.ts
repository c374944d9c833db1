import type { ListImageGroupQuery } from '@kiln/contract';
import { and, inArray, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import type { ImageGroup } from '../images/image-groups.ts';
import { heldImage } from '../images/image-queries.ts';
import { imageGroups, images } from '../tables/images.ts';
import { byRepository } from './images.ts';
import { inOrderOf, pageOfIds, type RememberedLists } from './remembered.ts';
import { askIds, inScope, type ListScope, scopeKey, tally } from './scope.ts';

/** A group with what the viewer sees of its images. */
export type SeenGroup = ImageGroup & {
  versions: number;
  description: string;
  firstAt: Date;
  lastAt: Date;
  registryConnectionId: string | null;
};

/**
 * Groups by id, in that order, each with the images of it that `seen` lets through; a group without any is left out.
 */
export async function summariseGroups(db: Database, ids: string[], seen: SQL | undefined): Promise<SeenGroup[]> {
  if (ids.length === 0) return [];
  const sums = db
    .select({
      groupId: images.groupId,
      versions: sql<number>`count(*)::int`.as('versions'),
      description: sql<string>`(array_agg(${images.description} ORDER BY ${images.createdAt} DESC))[1]`.as(
        'description',
      ),
      registryConnectionId: sql<
        string | null
      >`(array_agg(${images.registryConnectionId} ORDER BY ${images.createdAt} DESC))[1]`.as('connection'),
      firstAt: sql<Date>`min(${images.createdAt})`.mapWith(images.createdAt).as('first_at'),
      lastAt: sql<Date>`max(${images.updatedAt})`.mapWith(images.updatedAt).as('last_at'),
    })
    .from(images)
    .where(and(inArray(images.groupId, ids), heldImage, seen))
    .groupBy(images.groupId);
  const [groups, counted] = await Promise.all([
    db.select().from(imageGroups).where(inArray(imageGroups.id, ids)),
    sums,
  ]);
  const sumOf = new Map(counted.map(({ groupId, ...sum }) => [groupId, sum]));
  return inOrderOf(ids, groups).flatMap((group) => {
    const sum = sumOf.get(group.id);
    return sum ? [{ ...group, ...sum }] : [];
  });
}

/** ModelArts' ListImageGroup: repositories with at least one image that the viewer sees, the newest first. */
export async function listImageGroups(
  db: Database,
  remembered: RememberedLists,
  scope: ListScope,
  query: ListImageGroupQuery,
): Promise<{ groups: SeenGroup[]; total: number }> {
  const { limit, offset, ...key } = query;
  const seen = inScope(scope, images);
  const where = and(
    seen,
    heldImage,
    ...byRepository(query),
    query.swr_instance_id === undefined ? undefined : sql`${images.registryConnectionId} = ${query.swr_instance_id}`,
    query.type === 'BUILD_IN' ? sql`false` : undefined,
  );
  const { version } = await tally(db, 'images', scope, undefined);
  const all = await remembered.get(version, `groups ${scopeKey(scope)} ${JSON.stringify(key)}`, () =>
    askIds(
      db,
      sql`SELECT ${images.groupId}::text AS id FROM ${images} WHERE ${where} GROUP BY ${images.groupId}
          ORDER BY max(${images.createdAt}) DESC, ${images.groupId}`,
    ),
  );
  return { groups: await summariseGroups(db, pageOfIds(all, limit, offset), seen), total: all.count };
}
