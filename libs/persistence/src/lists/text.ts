import { parseReference } from '@kiln/domain';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';

/** Makes a text mean itself in LIKE. */
export const escapeLike = (text: string): string => text.replace(/[\\%_]/g, (it) => `\\${it}`);

/** Whether a column holds a part somewhere, whatever the case. */
export const containing = (column: SQL | PgColumn, part: string): SQL =>
  sql`${column} ILIKE ${`%${escapeLike(part)}%`}`;

/** The same for a column that holds lower case only, such as names and repositories, at a fraction of the cost. */
export const containingLower = (column: SQL | PgColumn, part: string): SQL =>
  sql`${column} LIKE ${`%${escapeLike(part.toLowerCase())}%`}`;

/** Whether a row is of a reference, in full; what is no reference is no row's. */
export function hasReference(
  columns: { host: PgColumn; repository: PgColumn; tag: PgColumn },
  uri: string,
): SQL | undefined {
  try {
    const { host, repository, tag } = parseReference(uri, 'ImageUri');
    return and(eq(columns.host, host), eq(columns.repository, repository), eq(columns.tag, tag));
  } catch {
    return sql`false`;
  }
}
