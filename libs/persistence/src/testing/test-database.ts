import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@kiln/kit';
import { LATEST_SCHEMA_VERSION } from 'bullmq';
import pg from 'pg';
import { grantRights } from '../schema/app-roles.ts';
import { openDatabase, type OpenDatabase } from '../db/database.ts';
import { migrateDatabase, migrationsFolder } from '../schema/migrate.ts';

export type TestDatabase = OpenDatabase & { url: Secret };

/**
 * A migrated database of its own on the test stack's server, dropped by `close`: a copy of one that the first caller
 * makes.
 */
export async function openTestDatabase(serverUrl: string): Promise<TestDatabase> {
  const opened = await openEmptyDatabase(serverUrl, await ensureTemplate(serverUrl));
  // Rights on a database are not copied with it.
  await grantRights(opened.db);
  return opened;
}

/** The same without any table, or a copy of another database. */
export async function openEmptyDatabase(serverUrl: string, template = 'template1'): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await asOwner(serverUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  const url = urlOf(serverUrl, name);
  // Tests fill whole tables with one statement.
  const opened = openDatabase(url, { statementMs: 60_000 });
  return {
    ...opened,
    url,
    close: async () => {
      await opened.close();
      await asOwner(serverUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** Name of a database with today's migrations, which nobody connects to. */
function ensureTemplate(serverUrl: string): Promise<string> {
  const hash = createHash('sha256');
  for (const it of readdirSync(migrationsFolder).filter((file) => file.endsWith('.sql')))
    hash.update(readFileSync(join(migrationsFolder, it)));
  hash.update(`bullmq ${LATEST_SCHEMA_VERSION}`);
  const name = `template_${hash.digest('hex').slice(0, 16)}`;
  return asOwner(serverUrl, async (client) => {
    // One maker at a time; it is there under its name only when it is whole.
    await client.query('SELECT pg_advisory_lock(7312)');
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount !== 0) return name;
    await client.query(`DROP DATABASE IF EXISTS ${name}_begun WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${name}_begun`);
    const { db, close } = openDatabase(urlOf(serverUrl, `${name}_begun`));
    await migrateDatabase(db).finally(close);
    await client.query(`ALTER DATABASE ${name}_begun RENAME TO ${name}`);
    return name;
  });
}

async function asOwner<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(serverUrl: string, database: string): Secret {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return new Secret(url.href);
}
