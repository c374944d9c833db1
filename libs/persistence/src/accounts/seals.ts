import { type SealedKind, sealedKinds } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';

/** Every column that holds sealed values, with their kind. */
const sealedColumns = [
  { table: 'access_keys', column: 'secret_sealed', kind: 'accessKey' },
  { table: 'registry_connections', column: 'password_sealed', kind: 'registryConnection' },
  { table: 'source_connections', column: 'password_sealed', kind: 'sourceConnection' },
  { table: 'source_connections', column: 'key_sealed', kind: 'sourceConnection' },
  { table: 'build_secrets', column: 'sealed', kind: 'buildSecret' },
  { table: 'builds', column: 'registry_auths_sealed', kind: 'registryAuths' },
  { table: 'signing_keys', column: 'private_sealed', kind: 'signingKey' },
  { table: 'webhooks', column: 'secret_sealed', kind: 'webhook' },
  { table: 'webhooks', column: 'old_secret_sealed', kind: 'webhook' },
] as const satisfies { table: string; column: string; kind: SealedKind }[];

/** The text of `bindingOf`, in SQL. */
const bindingSql = (kind: SealedKind): string =>
  [`'${sealedKinds[kind].word}'`, ...sealedKinds[kind].columns].join(` || ':' || `);

const atOnce = 500;

/**
 * Seals anew whatever is not sealed with the key of this id, a few hundred rows at a time; others may work meanwhile,
 * and what somebody changes in between is looked at again.
 * @returns rows by table that were sealed anew, and those that no key could open
 */
export async function resealAll(
  db: Executor,
  keyId: string,
  reseal: (sealed: string, boundTo: string) => string,
): Promise<{ resealed: Record<string, number>; unopened: string[] }> {
  const resealed: Record<string, number> = {};
  const unopened: string[] = [];
  for (const { table, column, kind } of sealedColumns) {
    const binding = bindingSql(kind);
    const [name, value] = [sql.raw(table), sql.raw(column)];
    let count = 0;
    let last = '';
    for (;;) {
      const { rows } = await db.execute<{ sealed: string; bound_to: string }>(sql`
        SELECT ${value} AS sealed, ${sql.raw(binding)} AS bound_to FROM ${name}
        WHERE ${value} IS NOT NULL AND ${value} NOT LIKE ${`v1.${keyId}.%`} AND ${sql.raw(binding)} > ${last}
        ORDER BY 2 LIMIT ${atOnce}`);
      for (const { sealed, bound_to: boundTo } of rows) {
        let anew: string;
        try {
          anew = reseal(sealed, boundTo);
        } catch {
          unopened.push(boundTo);
          continue;
        }
        const { rowCount } = await db.execute(sql`
          UPDATE ${name} SET ${value} = ${anew} WHERE ${sql.raw(binding)} = ${boundTo} AND ${value} = ${sealed}`);
        count += rowCount ?? 0;
      }
      last = rows.at(-1)?.bound_to ?? last;
      if (rows.length < atOnce) break;
    }
    resealed[table] = (resealed[table] ?? 0) + count;
  }
  return { resealed, unopened };
}
