import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { retry, type Secret } from '@kiln/kit';
import { type App, grantRights, putAppRoles } from './app-roles.ts';
import { putQueueSchema } from './queue-schema.ts';
import type { Database, Executor } from '../db/database.ts';
import { lock } from '../db/locks.ts';
import { adoptCopiedEvents } from '../events/events.ts';

export const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));

const triesMax = 20;

/** Another process held a table for too long, or changed the same rights a moment ago (`tuple concurrently updated`). */
const isPassing = (error: unknown): boolean => {
  const { code, message, cause } = error as { code?: unknown; message?: unknown; cause?: unknown };
  if (code === '55P03' || code === '40P01' || (code === 'XX000' && /concurrently/.test(String(message)))) return true;
  return cause !== undefined && cause !== null && isPassing(cause);
};

/**
 * Brings the schema, and what the apps' users may do with it, up to date; safe to run from several processes at once.
 * It has a connection of its own, since a migration of a large database may take longer than any other statement is
 * allowed to.
 * @param passwords of the apps' users that are to be made, or to have another one
 */
export async function migrateDatabase(
  db: Database,
  passwords: Partial<Record<App, Secret | undefined>> = {},
): Promise<void> {
  const { connectionString } = db.$client.options;
  const client = new pg.Client({ ...(connectionString === undefined ? {} : { connectionString }), keepAlive: true });
  // A connection that is lost meanwhile shows in the statement.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await retry(
      async () => {
        await putQueueSchema(client);
        await drizzle(client).transaction(async (tx) => {
          await lock(tx, 'migration');
          // Whoever waits for a table keeps everybody behind it waiting, too: better to step back and try again.
          await tx.execute(sql`SET LOCAL lock_timeout = '5s'`);
          await migrate(tx as unknown as Database, { migrationsFolder });
          await putAppRoles(tx, passwords);
          await adoptCopiedEvents(tx);
          await letSearchesUseIndexes(tx);
          await grantRights(tx);
        });
      },
      { tries: triesMax, pauseMs: () => 1000, isPassing },
    );
  } finally {
    await client.end();
  }
}

/**
 * LIKE and `@>` tell nothing of a row but whether it fits; marked so, they may use their index before a row's account is
 * looked at.
 * The mark is the database's and in no backup, and only a superuser sets it: without it, searching for a part of a name
 * reads all of an account's rows.
 */
const letSearchesUseIndexes = (tx: Executor) =>
  tx.execute(sql`
    DO $$ BEGIN
      IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        ALTER FUNCTION textlike(text, text) LEAKPROOF;
        ALTER FUNCTION texticlike(text, text) LEAKPROOF;
        ALTER FUNCTION jsonb_contains(jsonb, jsonb) LEAKPROOF;
      END IF;
    END $$`);
