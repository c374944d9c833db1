// Runs every project's tests against real servers and closes with one line: "N passed, N failed".
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { processesOf } from '../stack/processes.ts';
import { startTestStack } from '../stack/test-stack.ts';

const root = join(import.meta.dirname, '../../..');
const resultFile = 'dist/test-results.json';
const projects = ['libs', 'apps']
  .flatMap((folder) => readdirSync(join(root, folder)).map((it) => join(root, folder, it)))
  .concat(join(root, 'tools'))
  .filter((it) => existsSync(join(it, 'package.json')));

for (const it of projects) rmSync(join(it, resultFile), { force: true });
const dir = join(root, '.kiln/test');
const running = await startTestStack(dir);
const args = [
  'run-many',
  '-t',
  'test',
  '--skip-nx-cache',
  '--parallel=2',
  '--outputStyle=static',
  '--',
  '--json',
  `--outputFile=${resultFile}`,
];
const status = await new Promise<number>((resolve) => {
  const env = { ...process.env, NX_DAEMON: 'false', KILN_TEST_STACK: running.file };
  spawn(join(root, 'node_modules/.bin/nx'), args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env }).on(
    'close',
    (code) => resolve(code ?? 1),
  );
});
await running.stop();

interface Results {
  numPassedTests: number;
  numFailedTests: number;
  numRuntimeErrorTestSuites: number;
}
const results = projects
  .map((it) => join(it, resultFile))
  .filter((it) => existsSync(it))
  .map((it) => JSON.parse(readFileSync(it, 'utf8')) as Results);
const sum = (pick: (it: Results) => number) => results.reduce((total, it) => total + pick(it), 0);
const passed = sum((it) => it.numPassedTests);
const left = processesOf(dir).length;
if (left > 0) console.error(`${left} processes of the test stack are still running`);
// A suite that does not even load, or a project that ends badly without saying which test, counts as one failure.
const counted = sum((it) => it.numFailedTests + it.numRuntimeErrorTestSuites) + (left > 0 ? 1 : 0);
const failed = counted === 0 && (status !== 0 || passed === 0) ? 1 : counted;
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
