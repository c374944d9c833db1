import { fieldFault, type ImageStatus } from '@kiln/domain';
import type { Label, ListImageQuery, ListImagesQuery } from '@kiln/contract';
import { and, asc, desc, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { imageLabels, images, tallies } from '../tables/images.ts';
import { readImages, readImagesById, type ShownImage } from './shown-images.ts';
import { containing, containingLower, escapeLike, hasReference } from './text.ts';
import { pageOfIds, type RememberedLists } from './remembered.ts';
import { askIds, inScope, type ListScope, scopeKey, shallowRows, tally } from './scope.ts';

export interface ImagePage {
  images: ShownImage[];
  total: number;
}

interface ImageList {
  scope: ListScope;
  /** Conditions that the tallies know, on either table. */
  counted: (columns: typeof images | typeof tallies) => SQL | undefined;
  /** Further conditions, on the images themselves. */
  filter: SQL | undefined;
  order: SQL[];
  /** Whether an index gives that order. */
  orderIsIndexed: boolean;
  /** Everything in the request that decides which entries there are and in which order. */
  key: unknown;
  limit: number;
  offset: number;
}

/**
 * A page near the start of an unfiltered list comes from an index, its total from the tallies; any other from
 * remembered ids.
 */
async function listImages(db: Database, remembered: RememberedLists, list: ImageList): Promise<ImagePage> {
  const { scope, counted, filter, limit, offset } = list;
  if (scope.workspaceIds.length === 0) return { images: [], total: 0 };
  const where = and(inScope(scope, images), counted(images), filter);
  const order = sql.join(list.order, sql`, `);
  const ids = sql`SELECT ${images.id}::text AS id FROM ${images} WHERE ${where} ORDER BY ${order}`;
  const counting = tally(db, 'images', scope, counted(tallies));
  if (filter === undefined && list.orderIsIndexed && offset + limit <= shallowRows) {
    // Ids first, from the index alone, then their rows; where little is skipped, at once.
    const page = sql`${images.id} IN (SELECT x.id::uuid FROM (${ids} LIMIT ${limit} OFFSET ${offset}) AS x)`;
    const [found, { total }] = await Promise.all([
      offset <= limit
        ? readImages(db, sql`WHERE ${where} ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}`)
        : readImages(db, sql`WHERE ${page} ORDER BY ${order}`),
      counting,
    ]);
    return { images: found, total };
  }
  const { version } = await counting;
  const all = await remembered.get(version, `images ${scopeKey(scope)} ${JSON.stringify(list.key)}`, () =>
    askIds(db, ids),
  );
  return { images: await readImagesById(db, pageOfIds(all, limit, offset)), total: all.count };
}

const holdsLabel = ({ Key, Value }: Label): SQL =>
  sql`${images.id} IN (SELECT l.image_id FROM ${imageLabels} l WHERE l.key = ${Key}${
    Value === '*' ? sql`` : sql` AND l.value = ${Value}`
  })`;

// PAI has no word for an image that is not there yet: its lists show what can be used.
export const shownInPai: ImageStatus[] = ['ACTIVE', 'ERROR'];

/** Creation decides, and between two of one moment the id. */
const byCreation = (direction: typeof asc) => [direction(images.createdAt), direction(images.id)];

/** PAI's ListImages; without a workspace, the public images of all that the viewer sees. */
export function listPaiImages(
  db: Database,
  remembered: RememberedLists,
  scope: ListScope,
  query: ListImagesQuery,
): Promise<ImagePage> {
  const { PageNumber, PageSize, ...key } = query;
  const public_ = query.WorkspaceId === undefined ? ('PUBLIC' as const) : undefined;
  const visibility = [public_, query.Accessibility].filter((it) => it !== undefined);
  const filters = [
    query.Name === undefined ? undefined : containingLower(images.name, query.Name),
    query.Query === undefined
      ? undefined
      : or(containingLower(images.name, query.Query), containing(images.description, query.Query)),
    query.ImageUri === undefined ? undefined : hasReference(images, query.ImageUri),
    ...(query.Labels ?? []).map(holdsLabel),
  ].filter((it) => it !== undefined);
  return listImages(db, remembered, {
    scope,
    counted: (columns) =>
      and(inArray(columns.status, shownInPai), ...visibility.map((it) => eq(columns.visibility, it))),
    filter: and(...filters),
    order: byCreation(query.Order === 'DESC' ? desc : asc),
    orderIsIndexed: true,
    key: ['pai', key],
    limit: PageSize,
    offset: (PageNumber - 1) * PageSize,
  });
}

const sortColumns = {
  create_at: images.createdAt,
  createTime: images.createdAt,
  update_at: images.updatedAt,
  updateTime: images.updatedAt,
  name: images.name,
  size: images.sizeBytes,
  status: images.status,
} as const;
type SortKey = keyof typeof sortColumns;

/** @throws Fault SortKeyInvalid */
function sortKeys(names: string[]): SortKey[] {
  for (const name of names) {
    if (!Object.hasOwn(sortColumns, name))
      throw fieldFault(
        'SortKeyInvalid',
        'sort_key',
        `cannot sort by ${JSON.stringify(name)}; one of ${Object.keys(sortColumns).join(', ')} is needed`,
      );
  }
  return names as SortKey[];
}

/** Conditions on the name and the namespace that ModelArts cuts out of a reference. */
export function byRepository(query: {
  name?: string | undefined;
  name_fuzzy_match: boolean;
  namespace?: string | undefined;
}): SQL[] {
  const column = images.repository;
  const lastPart = sql`substring(${column} from '[^/]*$')`;
  const conditions: SQL[] = [];
  if (query.name !== undefined && query.name_fuzzy_match) {
    // The first lets an index find candidates; the second looks at the part that counts.
    conditions.push(containingLower(column, query.name), containingLower(lastPart, query.name));
  } else if (query.name !== undefined) {
    conditions.push(sql`${column} LIKE ${`%${escapeLike(query.name)}`}`);
    conditions.push(sql`${lastPart} = ${query.name}`);
  }
  if (query.namespace !== undefined) conditions.push(sql`substring(${column} from '^(.*)/') = ${query.namespace}`);
  return conditions;
}

/** ModelArts' ListImage, in one workspace. */
export function listModelArtsImages(
  db: Database,
  remembered: RememberedLists,
  scope: ListScope,
  query: ListImageQuery,
): Promise<ImagePage> {
  const { limit, offset, ...key } = query;
  const direction = query.sort_dir === 'ASC' ? asc : desc;
  const filters = [
    ...byRepository(query),
    ...(query.show_name === undefined ? [] : byRepository({ name: query.show_name, name_fuzzy_match: true })),
    ...(query.show_tag === undefined ? [] : [eq(images.tag, query.show_tag)]),
    // Kiln has no built-in images: every one was registered or built by somebody.
    ...(query.type === 'BUILD_IN' ? [sql`false`] : []),
  ];
  const keys = sortKeys(query.sort_key);
  const orderIsIndexed = keys.every((it) => sortColumns[it] === images.createdAt);
  return listImages(db, remembered, {
    scope,
    counted: (columns) =>
      and(
        sql`${columns.status} <> 'DELETED'`,
        query.service_type === undefined ? undefined : eq(columns.serviceType, query.service_type),
      ),
    filter: and(...filters),
    order: orderIsIndexed
      ? byCreation(direction)
      : [...keys.map((it) => direction(sortColumns[it])), direction(images.id)],
    orderIsIndexed,
    key: ['modelarts', key],
    limit,
    offset,
  });
}
