import { openRandom } from '@kiln/kit/testing';
import { type Arrival, makeArrivals } from './arrivals.ts';
import { report } from './report.ts';
import { type Fleet, jain, type Policy, simulate } from './simulate.ts';

const fleet: Fleet = {
  builders: 2,
  slots: 1,
  passMs: 10,
  startMs: 0,
  killedAfterDays: Infinity,
  drainedEveryHours: Infinity,
  cachesMax: 10,
  warmPart: 1,
};
const build = (account: number, at: number, takesMs = 1000): Arrival => ({ account, at, lane: 'normal', takesMs });
const play = (arrivals: Arrival[], change: Partial<Fleet> = {}, policy: Policy = 'fair share') =>
  simulate(arrivals, { ...fleet, ...change }, policy, openRandom(1)); // prettier-ignore

it('begins builds as slots are free, and no more at once than there are slots', () => {
  const { builds, endedAt } = play([build(1, 0), build(1, 0), build(1, 0)]);
  expect(builds.map((it) => it.startedAt)).toEqual([10, 10, 1020]);
  expect(endedAt).toBe(2020);
});

it('lets an account that comes late pass the many that another one has waiting', () => {
  const many = Array.from({ length: 100 }, () => build(1, 0));
  const arrivals = [...many, build(2, 500)];
  const startOf = (policy: Policy) => play(arrivals, {}, policy).builds.find((it) => it.account === 2)?.startedAt;
  expect(startOf('fair share')).toBe(1020);
  expect(startOf('in order of arrival')).toBeGreaterThan(50_000);
});

it('serves accounts that compete alike', () => {
  const arrivals = [1, 2, 3, 4].flatMap((account) =>
    Array.from({ length: 100 * account }, () => build(account, account)),
  );
  const outcome = play(arrivals, { builders: 4 });
  expect(report(outcome, { ...fleet, builders: 4 }).fairness).toBeGreaterThan(0.99);
  expect(jain([1, 0, 0, 0])).toBe(0.25);
});

it('ends every build once, however many builders are killed and drained', () => {
  const traffic = { accounts: 20, builds: 3000, hours: 4, medianSeconds: 20 };
  const arrivals = makeArrivals(traffic, openRandom(3));
  const outcome = simulate(
    arrivals,
    { ...fleet, builders: 6, killedAfterDays: 0.02, drainedEveryHours: 1 },
    'fair share',
    openRandom(4),
  );
  expect(outcome.killed).toBeGreaterThan(20);
  expect(outcome.drained).toBeGreaterThan(10);
  expect(outcome.repeated).toBeGreaterThan(20);
  expect(outcome.builds.length).toBe(3000);
  const key = ({ at, account, takesMs }: Arrival) => `${account} ${at} ${takesMs}`;
  expect(outcome.builds.map(key).sort()).toEqual(arrivals.map(key).sort());
  expect(outcome.builds.every((it) => it.startedAt >= it.at)).toBe(true);
});
