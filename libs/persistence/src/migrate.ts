import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { type Database } from './database.ts';

const folder = fileURLToPath(new URL('../migrations', import.meta.url));

// Any number will do, as long as it stays the same: two processes that start together take turns.
const migrationLock = 7_311_865;

/** Brings the schema up to date; safe to run from several processes at once. */
export async function migrateDatabase(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${migrationLock})`);
    await migrate(tx as unknown as Database, { migrationsFolder: folder });
  });
}
