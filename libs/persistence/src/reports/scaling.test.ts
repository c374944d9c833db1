import { Secret } from '@kiln/kit';
import { sql } from 'drizzle-orm';
import { createAccount } from '../accounts/provision.ts';
import { openDatabase } from '../db/database.ts';
import { moveBuild } from '../builds/move-build.ts';
import { putAccountLimits } from '../scheduling/limits.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';
import { readScaling } from './scaling.ts';

let bench: BuildBench;
beforeEach(async () => {
  bench = await openBuildBench();
});
afterEach(() => bench.close());
const demand = async (pool: string) => (await readScaling(bench.db)).find((it) => it.pool === pool);

it('wants nothing where nothing waits', async () => {
  expect(await readScaling(bench.db)).toEqual([{ pool: '', wantedSlots: 0, oldestWaitingSeconds: 0 }]);
});

it('wants a slot for each build that is under way or waits, in its own pool', async () => {
  const { id, fence } = await bench.claimed();
  await bench.newBuild();
  await bench.newBuild({ pool: 'gpu' });
  await bench.db.execute(sql`UPDATE builds SET created_at = now() - interval '90 seconds',
    not_before = now() - interval '90 seconds' WHERE pool = 'gpu'`);
  expect(await demand('')).toMatchObject({ wantedSlots: 2 });
  const gpu = await demand('gpu');
  expect(gpu?.wantedSlots).toBe(1);
  expect(gpu?.oldestWaitingSeconds).toBeGreaterThanOrEqual(90);
  await moveBuild(bench.db, { id, from: ['assigned'], to: 'failed', message: 'over', fence });
  expect(await demand('')).toMatchObject({ wantedSlots: 1 });
});

it('wants none for builds that could not start: over the limit of their account, or set back', async () => {
  const other = await createAccount(bench.db, 'other');
  await putAccountLimits(bench.db, bench.account.id, { runningMax: 2 });
  await bench.claimed();
  for (let n = 0; n < 5; n += 1) await bench.newBuild();
  expect(await demand('')).toMatchObject({ wantedSlots: 2 });
  await bench.newBuild({ accountId: other.id });
  await bench.db.execute(
    sql`UPDATE builds SET not_before = now() + interval '1 minute' WHERE account_id = ${other.id}`,
  );
  expect(await demand('')).toMatchObject({ wantedSlots: 2 });
  await bench.claimed();
  // What is left may not start: its age is no reason for another builder.
  expect(await demand('')).toMatchObject({ wantedSlots: 2, oldestWaitingSeconds: 0 });
});

it('is all that the user of a scaler may read', async () => {
  await bench.newBuild();
  const url = new URL(bench.url);
  url.searchParams.set('options', '-c role=kiln_scaler');
  const { db, close } = openDatabase(new Secret(url.href), { connections: 1, scope: 'all' });
  expect(await readScaling(db)).toMatchObject([{ pool: '', wantedSlots: 1 }]);
  for (const table of ['builds', 'accounts', 'workers'])
    await expect(db.$client.query(`SELECT 1 FROM ${table}`)).rejects.toThrow('permission denied');
  await close();
});
