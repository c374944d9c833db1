import { sql } from 'drizzle-orm';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';
import { findNeglect } from './neglect.ts';

let bench: BuildBench;
beforeAll(async () => {
  bench = await openBuildBench();
});
afterAll(() => bench.close());

const clocks = {
  queueSeconds: 60,
  totalSeconds: 60,
  outputSeconds: 60,
  phaseSeconds: { prepare: 60 },
  tagSeconds: 7200,
};
const look = async () => findNeglect(bench.db, clocks, { missedSeconds: 4, staleSeconds: 1.5 });
const none = { dead: [], isAny: false };

it('finds nothing where all is looked after', async () => {
  await bench.newBuild();
  await bench.claimed();
  await bench.registering();
  expect(await look()).toEqual(none);
});

const set = (values: string) => (id: string) =>
  bench.db.execute(sql`UPDATE builds SET ${sql.raw(values)} WHERE id = ${id}`);
const old = `not_before = now() - interval '1 h', announced_at = now() - interval '10 s'`;
const admitted = `${old}, admitted_at = now() - interval '11 s'`;
it.each([
  ['a lease that ran out', 'claimed', set(`lease_until = now() - interval '1 s'`)],
  ['a build without a worker that was asked to stop', 'claimed', set(`state = 'cancelling', lease_until = NULL`)],
  ['the clock of a build that waits', 'newBuild', set(`created_at = now() - interval '1 h'`)],
  ['the clock of a phase', 'claimed', set(`phase_started_at = now() - interval '1 h'`)],
  ['the clock of a tag', 'registering', set(`phase = 'tag', phase_started_at = now() - interval '3 h'`)],
  ['a registration whose lease ran out', 'registering', set(`lease_until = now() - interval '1 s'`)],
  ['a registration that nobody took', 'registering', set(`${old}, lease_until = NULL`)],
  ['a build that nobody took', 'newBuild', set(admitted)],
  ['a build that its builder did not take', 'newBuild', set(`${admitted}, placement = '{"own": true, "on": "w1"}'`)],
] as const)('finds %s', async (_, make, neglect) => {
  const { id } = await bench[make]();
  expect(await look()).toEqual(none);
  await neglect(id);
  expect(await look()).toEqual({ ...none, isAny: true });
  await bench.db.execute(sql`UPDATE builds SET state = 'cancelled', lease_until = NULL WHERE id = ${id}`);
});

it('finds workers that PostgreSQL does not see, as long as they hold something', async () => {
  await bench.claimed();
  await bench.db.execute(sql`INSERT INTO workers (name, app, slots) VALUES ('w1', 'builder', 1), ('w2', 'builder', 1)`);
  expect(await look()).toEqual({ dead: ['w1'], isAny: false });
  await bench.db.execute(sql`UPDATE builds SET state = 'cancelled', lease_until = NULL WHERE worker = 'w1'`);
  expect((await look()).dead).toEqual([]);
});
