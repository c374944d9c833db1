import { testStack } from '@kiln/kit/testing';
import pg from 'pg';
import { openEmptyDatabase, openTestDatabase, type TestDatabase } from '../testing/test-database.ts';
import { type App, appRoles } from './app-roles.ts';
import { putQueueSchema } from './queue-schema.ts';

const closers: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

/** A connection that acts as an app's user. */
async function openAs(app: App, { url }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url.reveal(),
    options: `-c role=${appRoles[app]} -c search_path=bullmq`,
  });
  await client.connect();
  closers.push(() => client.end());
  return client;
}
const addJob = (client: pg.Client, queue: string) =>
  client.query(`SELECT id FROM add_jobs_bulk($1, '[{"id": "a", "name": "n"}, {"id": "b", "name": "n"}]') AS t(id)`, [
    queue,
  ]);

describe("BullMQ's schema", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(testStack().postgresUrl);
    closers.push(database.close);
  });

  it.each(['api', 'builder', 'registrar'] as const)('takes jobs of the %s, which makes nothing in it', async (app) => {
    const client = await openAs(app, database);
    // A queue of its own, and one that another has used before.
    for (const queue of [app, 'all']) expect((await addJob(client, queue)).rowCount).toBe(2);
    expect((await client.query(`SELECT FROM job WHERE queue = 'all'`)).rowCount).toBe(2);
    for (const text of [
      'CREATE TABLE bullmq.mine (id int)',
      `CREATE FUNCTION bullmq.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      `CREATE OR REPLACE FUNCTION bullmq.next_delay(p_queue text) RETURNS bigint LANGUAGE sql AS 'SELECT 1'`,
      'DELETE FROM bullmq.migration',
    ])
      await expect(client.query(text)).rejects.toThrow(/permission denied/);
    const { rows } = await client.query(`SELECT pg_has_role(current_user, 'kiln_queue', 'MEMBER') AS "isMember"`);
    expect(rows).toEqual([{ isMember: false }]);
  });

  it('is closed to everyone else', async () => {
    const client = await openAs('scaler', database);
    await expect(addJob(client, 'mine')).rejects.toThrow(/does not exist|permission denied/);
    await expect(client.query('SELECT * FROM bullmq.job')).rejects.toThrow(/permission denied/);
  });

  it('acts with rights on itself alone', async () => {
    const { rows } = await database.db.$client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
       AND CASE relkind WHEN 'S' THEN has_sequence_privilege('kiln_queue', oid, 'USAGE')
         ELSE has_table_privilege('kiln_queue', oid, 'SELECT, INSERT, UPDATE, DELETE') END`,
    );
    expect(rows).toEqual([]);
  });
});

it('is left out where the owner may not make schemas', async () => {
  const database = await openEmptyDatabase(testStack().postgresUrl);
  closers.push(database.close);
  const client = new pg.Client({ connectionString: database.url.reveal(), options: `-c role=${appRoles.api}` });
  await client.connect();
  closers.push(() => client.end());
  await putQueueSchema(client);
  expect((await client.query(`SELECT to_regnamespace('bullmq') AS it`)).rows).toEqual([{ it: null }]);
});
