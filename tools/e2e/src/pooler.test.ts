import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@kiln/kit/testing';
import { Secret } from '@kiln/kit';
import { actingFor, createAccount, inTransaction, openDatabase } from '@kiln/persistence';
import { appPassword } from '@kiln/stack';
import { openTestKiln, type Pooler, startPooler, type TestKiln } from '@kiln/stack/testing';
import { sql } from 'drizzle-orm';

const sessions = 3;
let kiln: TestKiln;
let pooler: Pooler;
beforeAll(async () => {
  kiln = await openTestKiln({
    before: async ({ dir, databaseUrl }) => {
      pooler = await startPooler(dir, databaseUrl, sessions);
      return { KILN_DATABASE_POOLER_URL: pooler.url };
    },
  });
});
afterAll(async () => {
  await kiln.stop();
  await pooler.server.stop();
});

const dockerfile = () => `FROM ${kiln.base}\nRUN echo ${Math.random()}\n`;

it('runs builds whose apps share three sessions for each user, and have their locks and signals beside them', async () => {
  const submitted = await Promise.all(Array.from({ length: 8 }, () => kiln.submit(kiln.buildRequest(dockerfile()))));
  const states = await Promise.all(submitted.map(async (it) => (await kiln.ended(it.ImageBuildId)).State));
  expect(states).toEqual(submitted.map(() => 'succeeded'));
  const long = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN sleep 60\n`));
  await eventually(async () => {
    const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${long.ImageBuildId}`);
    return body.State === 'running' || undefined;
  }, 'the long build to run');
  await kiln.pai('POST', `/api/v1/imagebuilds/${long.ImageBuildId}/cancel`);
  expect((await kiln.ended(long.ImageBuildId)).State).toBe('cancelled');
  // An api has no session of its own, a builder one for its lock; a registrar has some for the tags that it sets.
  const { rows } = await kiln.database.db.$client.query<{ role: string; n: number }>(
    `SELECT usename AS role, count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND usename LIKE 'kiln_%' GROUP BY 1 ORDER BY 1`,
  );
  expect(rows.map((it) => it.role)).toEqual(['kiln_api', 'kiln_builder', 'kiln_registrar']);
  expect(rows[0]?.n).toBeLessThanOrEqual(sessions);
  expect(rows[1]?.n).toBeLessThanOrEqual(sessions + 1);
});

it('shows each caller its own rows, though callers share sessions', async () => {
  const url = new URL(pooler.url);
  url.username = 'kiln_api';
  url.password = appPassword(decodeURIComponent(url.password), 'api');
  const other = await createAccount(kiln.database.db, `other-${Math.random()}`);
  const { db, close } = openDatabase(new Secret(url.href), {
    pooler: new Secret(url.href),
    scope: 'caller',
    connections: 12,
  });
  try {
    const own = kiln.account.accountId;
    const seen = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        actingFor(n % 2 === 0 ? own : other.id, async () => {
          await sleep(n % 7);
          const read = () => db.execute<{ id: string }>(sql`SELECT id FROM accounts`);
          const { rows } =
            n % 3 === 0
              ? await inTransaction(db, (tx) => tx.execute<{ id: string }>(sql`SELECT id FROM accounts`))
              : await read();
          return rows.map((it) => it.id).join() === (n % 2 === 0 ? own : other.id);
        }),
      ),
    );
    expect(seen.filter((it) => !it)).toEqual([]);
    // Nobody sees nothing; nor does what the last one was leak.
    expect((await db.execute(sql`SELECT id FROM accounts`)).rows).toEqual([]);
    const { rows } = await actingFor(own, () => db.execute(sql`SELECT current_setting('statement_timeout') AS it`));
    expect(rows).toEqual([{ it: '8s' }]);
  } finally {
    await close();
  }
});

it('goes on when the pooler comes back', async () => {
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN sleep 3\n`));
  await pooler.server.stop();
  await sleep(1500);
  await pooler.restart();
  expect((await kiln.ended(ImageBuildId)).State).toBe('succeeded');
});
