import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogger, Secret } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import { Redis } from 'ioredis';
import { openRedisBroker } from './redis-broker.ts';
import { watchBroker } from './testing/watched-broker.ts';

const log = openLogger('test', 'silent');
const dir = mkdtempSync(join(tmpdir(), 'kiln-sentinels-'));
const password = 'secret';
const started = new Map<string, ChildProcess>();
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  for (const it of started.values()) it.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

function start(name: string, lines: string[], ...more: string[]): void {
  const file = join(dir, `${name}.conf`);
  writeFileSync(file, [`dir "${dir}"`, 'bind 127.0.0.1', 'daemonize no', ...lines, ''].join('\n'));
  started.set(name, spawn('redis-server', [file, ...more], { stdio: 'ignore' }));
}

/** Two servers, the second of which follows the first, and three sentinels that watch over them. */
async function startServers(): Promise<{ host: string; port: number }[]> {
  const [first, second] = [await freePort(), await freePort()];
  const own = [`requirepass ${password}`, `masterauth ${password}`, 'save ""'];
  start('first', [`port ${first}`, ...own]);
  start('second', [`port ${second}`, `replicaof 127.0.0.1 ${first}`, ...own]);
  const ports = [await freePort(), await freePort(), await freePort()];
  for (const port of ports)
    start(
      `sentinel-${port}`,
      [
        `port ${port}`,
        `sentinel monitor kiln 127.0.0.1 ${first} 2`,
        `sentinel auth-pass kiln ${password}`,
        'sentinel down-after-milliseconds kiln 1000',
        'sentinel failover-timeout kiln 5000',
      ],
      '--sentinel',
    );
  const sentinel = new Redis({ host: '127.0.0.1', port: ports[0] ?? 0, maxRetriesPerRequest: null });
  closers.push(() => sentinel.disconnect());
  sentinel.on('error', () => undefined);
  const numberOf = async (what: string) =>
    ((await sentinel.call('SENTINEL', what, 'kiln').catch(() => [])) as unknown[]).length;
  await eventually(
    async () => ((await numberOf('replicas')) === 1 && (await numberOf('sentinels')) === 2 ? true : undefined),
    'the sentinels to know each other',
  );
  return ports.map((port) => ({ host: '127.0.0.1', port }));
}

it('queues and signals go on within seconds after the primary was killed', async () => {
  const addresses = await startServers();
  const url = new Secret(`redis://:${password}@sentinels-know-better:1`);
  const broker = openRedisBroker({ address: { url, sentinels: { addresses, name: 'kiln' } }, prefix: 'test', log });
  closers.push(broker.close);
  const watched = watchBroker(broker, log);
  closers.push(watched.close);
  await watched.send('before');
  await watched.took('before');

  started.get('first')?.kill('SIGKILL');
  const killedAt = Date.now();
  await watched.goesOn('after');
  // One second until the sentinels believe it, and what they take to agree.
  expect(Date.now() - killedAt).toBeLessThan(15_000);
});
