import { sql } from 'drizzle-orm';
import { openDatabase } from '../db/database.ts';
import { Secret } from '@kiln/kit';
import { planDeliveries } from '../events/webhook-deliveries.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';
import { readWorkAtHand } from './work-at-hand.ts';

let bench: BuildBench;
beforeAll(async () => {
  bench = await openBuildBench();
});
afterAll(() => bench.close());

const idle = {
  outbox: false,
  waiting: false,
  events: false,
  deliveries: false,
  inspections: false,
  checks: false,
  attestations: false,
  tags: false,
  underWay: false,
};
const addTag = (reference: string, due: string | null) =>
  bench.db.execute(sql`INSERT INTO watched_tags (account_id, reference, host, due_at)
    VALUES (${bench.account.id}, ${reference}, 'h', now() + ${due}::interval)`);

it('tells of tags that are due, and of those that have no time yet', async () => {
  expect(await readWorkAtHand(bench.db)).toEqual(idle);
  await addTag('later', '1 hour');
  expect(await readWorkAtHand(bench.db)).toEqual(idle);
  await addTag('due', '-1 s');
  expect(await readWorkAtHand(bench.db)).toEqual({ ...idle, tags: true });
  await bench.db.execute(sql`DELETE FROM watched_tags WHERE reference = 'due'`);
  await addTag('new', null);
  expect(await readWorkAtHand(bench.db)).toEqual({ ...idle, tags: true });
  await bench.db.execute(sql`DELETE FROM watched_tags`);
});

it('reads no table from end to end, whatever is guessed of how much there is to do', async () => {
  await bench.newBuild();
  await bench.db.execute(sql`
    INSERT INTO events (xact, key, account_id, workspace_id, user_id, visibility, type, at, data)
    SELECT xact, gen_random_uuid(), account_id, workspace_id, user_id, visibility, type, at, data
    FROM events, generate_series(1, 30000)`);
  await bench.db.execute(sql`
    INSERT INTO watched_tags (account_id, reference, host) SELECT ${bench.account.id}, 't' || n, 'h'
    FROM generate_series(1, 30000) n`);
  await bench.db.execute(sql`ANALYZE events, watched_tags`);
  // What the planner knows is from before: then, all had something to do.
  await bench.db.execute(sql`UPDATE watched_tags SET due_at = now() + interval '1 day'`);
  while ((await planDeliveries(bench.db)).looked > 0);
  const one = openDatabase(new Secret(bench.url), { connections: 1 });
  await readWorkAtHand(one.db);
  const { rows } = await one.db.execute<{ 'QUERY PLAN': string }>(sql`EXPLAIN (ANALYZE) EXECUTE "look-for-work"`);
  await one.close();
  const plan = rows.map((it) => it['QUERY PLAN']).join('\n');
  expect(plan).not.toMatch(/Seq Scan on (events|watched_tags)/);
});
