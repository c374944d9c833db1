import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogger, Secret } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import { Redis } from 'ioredis';
import { consume } from './consumer.ts';
import { openProducer } from './producer.ts';
import { openRedisBroker } from './redis-broker.ts';
import { openSignals } from './signals.ts';

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
  const producer = openProducer(broker);
  const signals = openSignals(broker);
  const seen: string[] = [];
  const consumer = consume({ broker, queue: 'image-build', concurrency: 1, log }, ({ buildId }) =>
    Promise.resolve(void seen.push(buildId)),
  );
  closers.push(producer.close, signals.close, consumer.close);
  const send = (buildId: string) =>
    producer.send([{ topic: 'image-build', key: buildId, payload: { v: 1, buildId, attempt: 0 } }]);
  await send('before');
  await eventually(() => (seen.includes('before') ? true : undefined), 'a job of the first server');

  started.get('first')?.kill('SIGKILL');
  const killedAt = Date.now();
  // As the relay does: what could not be sent is sent again.
  await eventually(
    () =>
      send('after').then(
        () => true as const,
        () => undefined,
      ),
    'a job to be taken by the second server',
  );
  await eventually(() => (seen.includes('after') ? true : undefined), 'that job');
  let heard = 0;
  signals.on('cancel', 'x', () => (heard += 1));
  await eventually(() => {
    signals.send('cancel', 'x');
    return heard > 0 ? true : undefined;
  }, 'a signal');
  // One second until the sentinels believe it, and what they take to agree.
  expect(Date.now() - killedAt).toBeLessThan(15_000);
});
