import type { ListImageLabelsQuery } from '@kiln/contract';
import type { Label } from '@kiln/domain';
import { and, inArray, or, sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { imageLabels, images } from '../tables/images.ts';
import { shownInPai } from './images.ts';
import type { RememberedLists } from './remembered.ts';
import { inScope, type ListScope, scopeKey, tally } from './scope.ts';

/**
 * PAI's ListImageLabels: the distinct pairs of the images that the viewer sees. Its two filters do not know of each
 * other: a pair is shown when its key is among the keys, or it is among the pairs.
 */
export async function listImageLabels(
  db: Database,
  remembered: RememberedLists,
  scope: ListScope,
  query: ListImageLabelsQuery,
): Promise<Label[]> {
  if (scope.workspaceIds.length === 0) return [];
  const { version } = await tally(db, 'images', scope, undefined);
  const pairs = (query.LabelFilter ?? []).map(({ Key, Value }) =>
    Value === '*'
      ? sql`${imageLabels.key} = ${Key}`
      : sql`(${imageLabels.key} = ${Key} AND ${imageLabels.value} = ${Value})`,
  );
  const where = and(
    inScope(scope, images),
    inArray(images.status, shownInPai),
    query.ImageId === undefined ? undefined : sql`${images.paiId} = ${query.ImageId}`,
    or(query.LabelKeys?.length ? inArray(imageLabels.key, query.LabelKeys) : undefined, ...pairs),
  );
  const answer = await remembered.get(version, `labels ${scopeKey(scope)} ${JSON.stringify(query)}`, async () => {
    const found = await db
      .selectDistinct({ key: imageLabels.key, value: imageLabels.value })
      .from(imageLabels)
      .innerJoin(images, sql`${images.id} = ${imageLabels.imageId}`)
      .where(where)
      .orderBy(imageLabels.key, imageLabels.value);
    return { text: JSON.stringify(found), count: found.length };
  });
  return JSON.parse(answer.text) as Label[];
}
