import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const program = `
import { Lifecycle } from ${JSON.stringify(join(import.meta.dirname, '../dist/lifecycle.js'))};
const life = new Lifecycle({ info() {}, error() {} });
life.defer('words', () => console.log('closed'));
const isReady = process.argv[1] === 'ready';
if (isReady) life.closeOnSignal();
setInterval(() => undefined, 1000);
console.log('up');
`;

/** Runs it as the first process of a namespace, as in a container, and ends it with SIGTERM. */
async function stopped(state: 'starting' | 'ready'): Promise<{ code: number | null; printed: string }> {
  const inner = [process.execPath, '--input-type=module', '-e', program, state];
  const child = spawn('unshare', ['--user', '--map-root-user', '--pid', '--fork', '--kill-child', ...inner], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()));
  await once(child.stdout, 'data');
  const first = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  process.kill(Number(first), 'SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { code, printed };
}

it('a first process that is not ready yet ends at SIGTERM, and one that is closes what it has opened', async () => {
  expect(await stopped('starting')).toEqual({ code: 1, printed: 'up\n' });
  expect(await stopped('ready')).toEqual({ code: 0, printed: 'up\nclosed\n' });
});
