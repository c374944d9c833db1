// `npm run simulate`: a day of a fleet on a made clock, by the dispatcher's own fair share, and the same with one queue
// in the order of arrival. `-- --builders 500 --slots 2 --accounts 2000 --builds 1000000 --hours 24 --median 20
// --warm 0.4` (how long a build takes with its account's cache, as a part of how long it takes without).
import { parseArgs } from 'node:util';
import { openRandom } from '@kiln/kit/testing';
import { makeArrivals } from './arrivals.ts';
import { printReport, report } from './report.ts';
import { type Fleet, policies, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    builders: { type: 'string', default: '500' },
    slots: { type: 'string', default: '2' },
    accounts: { type: 'string', default: '2000' },
    builds: { type: 'string', default: '1000000' },
    hours: { type: 'string', default: '24' },
    median: { type: 'string', default: '20' },
    warm: { type: 'string', default: '0.4' },
    seed: { type: 'string', default: '1' },
  },
});
const fleet: Fleet = {
  builders: Number(values.builders),
  slots: Number(values.slots),
  passMs: 20,
  startMs: 30,
  killedAfterDays: 10,
  drainedEveryHours: 24,
  cachesMax: 40,
  warmPart: Number(values.warm),
};
const traffic = {
  accounts: Number(values.accounts),
  builds: Number(values.builds),
  hours: Number(values.hours),
  medianSeconds: Number(values.median),
};
console.log(
  `\n${fleet.builders} builders of ${fleet.slots} slots; ${traffic.accounts} accounts; ${traffic.builds} builds in ${traffic.hours} h, ${traffic.medianSeconds} s each by the median`,
);
for (const policy of policies) {
  const started = performance.now();
  // The same day for both.
  const arrivals = makeArrivals(traffic, openRandom(Number(values.seed)));
  const outcome = simulate(arrivals, fleet, policy, openRandom(Number(values.seed) + 1));
  printReport(policy, report(outcome, fleet), outcome);
  console.log(`  (took ${((performance.now() - started) / 1000).toFixed(0)} s)`);
}
