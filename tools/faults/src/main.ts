// `npm run faults`: breaks everything that can be broken under a Kiln of real processes, and counts what was lost.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { engineParts, installParts, missingParts, redisPart, root, serverParts } from '@kiln/stack';
import { openRandom } from '@kiln/kit/testing';
import { openFaultKiln } from './fault-kiln.ts';
import { runLoad } from './load.ts';
import { renderTable, summarise } from './report.ts';
import type { Scenario } from './scenario.ts';
import { complaints, isGood, runTrial, scenarios, type Trial } from './trial.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    only: { type: 'string' },
    skip: { type: 'string' },
    short: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    load: { type: 'string' },
    queue: { type: 'string', default: 'redis' },
    help: { type: 'boolean', default: false, short: 'h' },
  },
});
if (values.help) {
  console.log(`npm run faults                       every fault three times, those that kill a process nine times
npm run faults -- --runs 20          so often
npm run faults -- --only storm       those whose name holds these words
npm run faults -- --skip storm       all but those
npm run faults -- --short            the part that npm test runs
npm run faults -- --seed 7           other moments and mishaps; the same seed gives the same
npm run faults -- --load 10          a fleet of 4 apis, 4 registrars and 8 builders at work for ten minutes
npm run faults -- --queue postgres   queues in PostgreSQL, without what happens to Redis
npm run faults -- --write            put the table into docs/reliability.md`);
  process.exit(0);
}

const document = join(root, 'docs/reliability.md');
const [seed, runs] = [Number(values.seed), Number(values.runs)];
const chosen = scenarios.filter(
  (it) =>
    (!values.short || it.short) &&
    (values.queue === 'redis' || !/^Redis|while Redis/.test(it.name)) &&
    (values.only === undefined || it.name.includes(values.only)) &&
    (values.skip === undefined || !it.name.includes(values.skip)),
);
const faketime = { program: 'faketime', package: 'faketime', why: 'sets the clock of one process' };
if (values.write && (values.only ?? values.skip ?? (values.short || values.queue !== 'redis'))) {
  console.error('the table of docs/reliability.md has every fault: --write goes with --runs and --seed only');
  process.exit(2);
}
const missing = missingParts([...serverParts, redisPart, ...engineParts, faketime]);
if (missing.length > 0) await installParts(missing);

let stop = (): Promise<void> => Promise.resolve();
// Whatever ends the suite, its servers and processes end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stop().finally(() => process.exit(1)));
/** Those that kill a process take seconds each, and are run so much more often. */
const quickTimes = 3;
const timesOf = ({ aim }: Scenario): number => (aim === 'process' ? runs * quickTimes : runs);
const trials: Trial[] = [];
const fleet = values.load === undefined ? undefined : { registrar: 4, builder: 8, api: 4 };
const kiln = await openFaultKiln(join(root, '.kiln/faults'), 1, fleet, values.queue);
stop = () => kiln.stop();
if (values.load !== undefined) {
  const isWell = await runLoad(kiln, Number(values.load), openRandom(seed)).finally(stop);
  process.exit(isWell ? 0 : 1);
}
try {
  for (let run = 1; run <= runs * quickTimes; run += 1) {
    for (const scenario of chosen.filter((it) => run <= timesOf(it))) {
      // The same whether it runs alone or with all others.
      const own = seed * 1_000_003 + run * 1009 + scenarios.indexOf(scenario);
      const begun = performance.now();
      const trial = await runTrial(kiln, scenario, own);
      trials.push(trial);
      const took = ((performance.now() - begun) / 1000).toFixed(0);
      const slow = trial.late ? ', later than it may' : '';
      const recovered =
        trial.recoveryMs === undefined ? '' : `went on after ${(trial.recoveryMs / 1000).toFixed(2)} s${slow}`;
      console.log(
        `${isGood(trial) ? '✔' : '✘'} ${run}/${timesOf(scenario)} ${scenario.name}  ${recovered}  (${took} s)`,
      );
      for (const it of complaints(trial)) console.log(`    ${it}`);
    }
  }
} finally {
  await stop();
}
const lines = summarise(chosen, trials);
console.log(`\n${renderTable(lines)}`);
if (values.write && existsSync(document)) {
  const text = readFileSync(document, 'utf8');
  const [before = '', rest = ''] = text.split('<!-- faults: begin -->');
  const after = rest.split('<!-- faults: end -->')[1] ?? '';
  const how = `Seed ${seed}; runs of each row: ${runs}, and ${runs * quickTimes} of those that kill a process; \`npm run faults -- --seed ${seed} --runs ${runs}\` does the same again.`;
  writeFileSync(
    document,
    `${before}<!-- faults: begin -->\n\n${how}\n\n${renderTable(lines)}\n\n<!-- faults: end -->${after}`,
  );
}
process.exit(trials.every(isGood) ? 0 : 1);
