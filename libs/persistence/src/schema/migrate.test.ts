import { testStack } from '@kiln/kit/testing';
import { sql } from 'drizzle-orm';
import { openEmptyDatabase } from '../testing/test-database.ts';
import { migrateDatabase } from './migrate.ts';

it('makes the schema once, however many processes migrate at the same time, and again', async () => {
  const { db, close } = await openEmptyDatabase(testStack().postgresUrl);
  try {
    await Promise.all([1, 2, 3].map(() => migrateDatabase(db)));
    await migrateDatabase(db);
    const { rows } = await db.execute(sql`
      SELECT (SELECT count(*)::int FROM drizzle.__drizzle_migrations) AS migrations,
        (SELECT array_agg(name ORDER BY name) FROM event_marks) AS marks`);
    expect(rows).toEqual([{ migrations: 1, marks: ['forgotten', 'webhooks'] }]);
  } finally {
    await close();
  }
});
