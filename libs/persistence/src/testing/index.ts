import { randomUUID } from 'node:crypto';
import { Secret } from '@kiln/kit';
import pg from 'pg';
import { migrateDatabase, openDatabase, type OpenDatabase } from '../index.ts';

export type TestDatabase = OpenDatabase & { url: Secret };

/** A migrated database of its own on the test stack's server, dropped by `close`. */
export async function openTestDatabase(serverUrl: string): Promise<TestDatabase> {
  const opened = await openEmptyDatabase(serverUrl);
  await migrateDatabase(opened.db);
  return opened;
}

/** The same without any table. */
export async function openEmptyDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const asAdmin = async (statement: string) => {
    const client = new pg.Client({ connectionString: serverUrl });
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  await asAdmin(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  // Tests fill whole tables with one statement.
  const opened = openDatabase(new Secret(url.href), { statementMs: 60_000 });
  return {
    ...opened,
    url: new Secret(url.href),
    close: async () => {
      await opened.close();
      await asAdmin(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

export { type BuildBench, openBuildBench } from './build-bench.ts';
