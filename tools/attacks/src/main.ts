// `npm run attacks`: every attack of the suite, those that take long included; `npm test` makes all the others. Words
// after it choose by name: `npm run attacks -- -t "fork bomb"`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '@kiln/stack';
import { startTestStack } from '@kiln/stack/testing';

const running = await startTestStack(join(root, '.kiln/attacks'));
const status = await new Promise<number>((resolve) => {
  const env = {
    ...process.env,
    KILN_TESTS: 'all',
    KILN_TEST_STACK: running.file,
    NODE_OPTIONS: '--experimental-vm-modules',
  };
  const args = ['--verbose', '--runInBand', ...process.argv.slice(2)];
  const child = spawn(join(root, 'node_modules/.bin/jest'), args, {
    cwd: join(root, 'tools/attacks'),
    stdio: 'inherit',
    env,
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  child.on('close', (code) => resolve(code ?? 1));
});
await running.stop();
process.exit(status);
