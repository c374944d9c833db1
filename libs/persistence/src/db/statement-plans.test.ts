import { testStack } from '@kiln/kit/testing';
import { sql } from 'drizzle-orm';
import { openEmptyDatabase, type TestDatabase } from '../testing/test-database.ts';
import { inTransaction, isDatabaseDown, openDatabase } from './database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openEmptyDatabase(testStack().postgresUrl);
  await database.db.execute(sql`CREATE TABLE things (id int PRIMARY KEY); INSERT INTO things VALUES (1)`);
});
afterAll(() => database.close());

/** The statements that its only connection has PostgreSQL keep. */
const kept = async (db: TestDatabase['db']): Promise<string[]> =>
  (
    await db.execute<{ statement: string }>(sql`SELECT statement FROM pg_prepared_statements ORDER BY prepare_time`)
  ).rows
    .map((it) => it.statement)
    .filter((it) => !it.includes('pg_prepared_statements'));

it('keeps the plan of a statement that is run again and again, and of no other one', async () => {
  const { db, close } = openDatabase(database.url, { connections: 1 });
  try {
    const find = (id: number) => db.execute(sql`SELECT id FROM things WHERE id = ${id}`);
    for (const id of [1, 2]) await find(id);
    expect(await kept(db)).toEqual([]);
    for (const [id, found] of [[1, 1], [2, 0], [1, 1]] as const) expect((await find(id)).rowCount).toBe(found); // prettier-ignore
    // Several statements at once have no plan that could be kept.
    for (let n = 0; n < 5; n += 1) await db.execute(sql`SELECT 1; SELECT 2`);
    expect(await kept(db)).toEqual(['SELECT id FROM things WHERE id = $1']);
    const inside = await inTransaction(
      db,
      async (tx) => (await tx.execute(sql`SELECT id FROM things WHERE id = ${1}`)).rows,
    );
    expect(inside).toEqual([{ id: 1 }]);
  } finally {
    await close();
  }
});

it('asks to try again when a table has changed since, and works then', async () => {
  const { db, close } = openDatabase(database.url, { connections: 1 });
  try {
    const find = () =>
      inTransaction(db, async (tx) => (await tx.execute(sql`SELECT * FROM things WHERE id = ${1}`)).rows);
    for (let n = 0; n < 5; n += 1) expect(await find()).toEqual([{ id: 1 }]);
    await database.db.execute(sql`ALTER TABLE things ADD COLUMN name text DEFAULT 'a'`);
    const error: unknown = await find().catch((it: unknown) => it);
    expect(isDatabaseDown(error)).toBe(true);
    expect(await find()).toEqual([{ id: 1, name: 'a' }]);
  } finally {
    await close();
  }
});
