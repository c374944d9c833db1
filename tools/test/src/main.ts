// `npm test`: runs every project's tests against real servers, several files at once; closes with the files that took
// longest and one line: "N passed, N failed". Arguments go on to Jest.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { processesOf, root } from '@kiln/stack';
import { startTestStack } from '@kiln/stack/testing';
import { runChecks } from './checks.ts';
import { type JestResults, printSummary } from './summary.ts';

// Most tests wait for half of their time: more at once would keep two cores busy all of it, and measure nothing but
// that.
const workers = Math.max(2, availableParallelism() - 1);

const projects = ['libs', 'apps', 'tools']
  .flatMap((folder) => readdirSync(join(root, folder)).map((it) => join(root, folder, it)))
  .filter((it) => existsSync(join(it, 'jest.config.mjs')));
const dir = join(root, '.kiln/test');
const checks = runChecks();
const running = await startTestStack(dir);
const resultFile = join(dir, 'results.json');
const args = [
  `--maxWorkers=${workers}`,
  // A worker keeps something of each file that it has run, until there is no memory left for the last ones.
  '--workerIdleMemoryLimit=1500MB',
  `--testSequencer=${join(import.meta.dirname, 'slowest-first.js')}`,
  '--json',
  `--outputFile=${resultFile}`,
  ...process.argv.slice(2),
  '--projects',
  ...projects,
];
const status = await new Promise<number>((resolve) => {
  const env = {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    KILN_TEST_STACK: running.file,
  };
  // What Jest says to people is on stderr; the results are in the file.
  spawn(join(root, 'node_modules/.bin/jest'), args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env }).on(
    'close',
    (code) => resolve(code ?? 1),
  );
});
const results = existsSync(resultFile) ? (JSON.parse(readFileSync(resultFile, 'utf8')) as JestResults) : undefined;
await running.stop();
const failedChecks = await checks;

const left = processesOf(dir).length;
if (left > 0) console.error(`${left} processes of the test stack are still running`);
if (results) printSummary(results);
const passed = results?.numPassedTests ?? 0;
// A file that does not even load, or a run that ends badly without saying which test, counts as one failure.
const counted = (results ? results.numFailedTests + results.numRuntimeErrorTestSuites : 0) + (left > 0 ? 1 : 0);
const failedTests = counted === 0 && (status !== 0 || passed === 0) ? 1 : counted;
const failed = failedTests + failedChecks;
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
