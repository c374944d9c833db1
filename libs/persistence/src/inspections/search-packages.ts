import type { PackageCondition } from '@kiln/domain';
import { type SQL, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { imagePackages } from '../tables/inspections.ts';
import { heldStatus, images } from '../tables/images.ts';
import { seenBy } from '../images/image-queries.ts';
import type { Viewer } from '../accounts/identity.ts';

export interface FoundImage {
  paiId: string;
  name: string;
  host: string;
  repository: string;
  tag: string;
  packages: { name: string; version: string }[];
}

const trimmed = (numbers: readonly number[]): number[] => {
  const last = numbers.findLastIndex((it) => it !== 0);
  return numbers.slice(0, last + 1);
};

/** Versions are kept without zeros at their end, and arrays compare as versions do. */
function fits({ nameKey, operator, numbers }: PackageCondition): SQL {
  const name = sql`${imagePackages.nameKey} = ${nameKey}`;
  if (operator === undefined) return name;
  const array = (of: readonly number[]) => sql.raw(`'{${of.join(',')}}'::int[]`);
  if (operator === '=')
    return sql`${name} AND (${imagePackages.versionKey} || '{0,0,0,0,0,0}'::int[])[1:${sql.raw(String(numbers.length))}] = ${array(numbers)}`;
  const sign = operator === '==' ? '=' : operator;
  return sql`${name} AND ${imagePackages.versionKey} ${sql.raw(sign)} ${array(trimmed(numbers))}`;
}

/** Images of the viewer's account that have a package for each of the conditions, the newest first. */
export async function searchPackages(
  db: Executor,
  viewer: Viewer,
  conditions: readonly PackageCondition[],
  limit: number,
): Promise<{ total: number; images: FoundImage[] }> {
  const has = conditions.map(
    (it) =>
      sql`SELECT DISTINCT inspection_id FROM image_packages WHERE account_id = ${viewer.accountId} AND ${fits(it)}`,
  );
  const { rows } = await db.execute<Omit<FoundImage, 'packages'> & { inspection: string; total: number }>(sql`
    WITH fitting AS MATERIALIZED (${sql.join(has, sql` INTERSECT `)})
    SELECT ${images.paiId} AS "paiId", ${images.name}, ${images.host}, ${images.repository}, ${images.tag},
      fitting.inspection_id AS inspection, count(*) OVER ()::int AS total
    FROM fitting JOIN ${images} ON ${images.inspectionId} = fitting.inspection_id
    WHERE ${images.accountId} = ${viewer.accountId} AND ${sql.raw(`images.${heldStatus}`)} AND ${seenBy(viewer)}
    ORDER BY ${images.createdAt} DESC LIMIT ${limit}`);
  const ids = [...new Set(rows.map((it) => it.inspection))];
  const found =
    ids.length === 0
      ? []
      : (
          await db.execute<{ inspection: string; name: string; version: string }>(sql`
            SELECT inspection_id AS inspection, name, version FROM image_packages
            WHERE inspection_id = ANY(${sql.param(ids)}) AND (${sql.join(
              conditions.map((it) => sql`(${fits(it)})`),
              sql` OR `,
            )}) ORDER BY name, version`)
        ).rows;
  const packagesOf = new Map<string, FoundImage['packages']>();
  for (const { inspection, ...it } of found) packagesOf.set(inspection, [...(packagesOf.get(inspection) ?? []), it]);
  return {
    total: rows[0]?.total ?? 0,
    images: rows.map(({ inspection, total: _, ...it }) => ({ ...it, packages: packagesOf.get(inspection) ?? [] })),
  };
}
