import { sql } from 'drizzle-orm';
import { type Executor } from './database.ts';

/** Every column that holds sealed secrets, with what a secret of it is bound to. */
const sealedColumns = [
  { table: 'access_keys', column: 'secret_sealed', binding: `'access-key:' || id` },
  {
    table: 'registry_connections',
    column: 'password_sealed',
    binding: `'registry-connection:' || account_id || ':' || id`,
  },
  { table: 'build_secrets', column: 'sealed', binding: `'build-secret:' || account_id || ':' || name` },
  { table: 'builds', column: 'registry_auths_sealed', binding: `'registry-auths:' || id` },
] as const;

const atOnce = 500;

/**
 * Seals anew whatever is not sealed with the key of this id, a few hundred rows at a time; others may work meanwhile, and a secret
 * that somebody changes in between stays as they wrote it.
 * @returns rows by table
 */
export async function resealAll(
  db: Executor,
  keyId: string,
  reseal: (sealed: string, boundTo: string) => string,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { table, column, binding } of sealedColumns) {
    counts[table] = 0;
    for (;;) {
      const { rows } = await db.execute<{ at: string; sealed: string; bound_to: string }>(sql`
        SELECT ctid::text AS at, ${sql.raw(column)} AS sealed, ${sql.raw(binding)} AS bound_to FROM ${sql.raw(table)}
        WHERE ${sql.raw(column)} IS NOT NULL AND ${sql.raw(column)} NOT LIKE ${`v1.${keyId}.%`} LIMIT ${atOnce}`);
      for (const row of rows) {
        await db.execute(sql`
          UPDATE ${sql.raw(table)} SET ${sql.raw(column)} = ${reseal(row.sealed, row.bound_to)}
          WHERE ctid = ${row.at}::tid AND ${sql.raw(column)} = ${row.sealed}`);
      }
      counts[table] += rows.length;
      if (rows.length < atOnce) break;
    }
  }
  return counts;
}
