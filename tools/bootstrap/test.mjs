// Installs, builds, checks and tests everything on real servers; ends with "N passed, N failed".
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare();
const bin = (name) => join(root, 'node_modules/.bin', name);

/** Runs a command; what it says is kept for later, unless it is shown at once. */
const run = (command, args, stdio) =>
  new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(command, args, { cwd: root, stdio, env: { ...process.env, NX_DAEMON: 'false' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => (output += error.message));
    child.on('close', (status) => resolve({ status: status ?? 1, output, seconds: (Date.now() - started) / 1000 }));
  });

// Beside the tests, in the time that those wait: at the lowest priority, so that no test waits for them.
const check = async (name, args) => {
  const { status, output, seconds } = await run('nice', ['-n', '19', bin(args[0]), ...args.slice(1)], 'pipe');
  console.log(`  ${status === 0 ? '✔' : '✘'} ${name}  ${seconds.toFixed(1)} s${status === 0 ? '' : `\n${output}`}`);
  return status === 0;
};
const checks = [check('format', ['prettier', '--check', '.']), check('lint', ['eslint', '.'])];
const tests = await run(
  process.execPath,
  [join(root, 'tools/test/dist/main.js'), ...process.argv.slice(2)],
  ['ignore', 'pipe', 'inherit'],
);
// The last line counts the checks as well.
const failedChecks = (await Promise.all(checks)).filter((isWell) => !isWell).length;
const [, passed = 0, failed = 1] = /(\d+) passed, (\d+) failed\s*$/.exec(tests.output) ?? [];
console.log(tests.output.replace(/\n?\d+ passed, \d+ failed\s*$/, ''));
console.log(`${passed} passed, ${Number(failed) + failedChecks} failed`);
process.exit(tests.status === 0 && failedChecks === 0 ? 0 : 1);
