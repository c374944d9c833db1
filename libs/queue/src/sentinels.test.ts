import { openLogger, Secret } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import { Redis } from 'ioredis';
import { openRedisBroker } from './redis-broker.ts';
import { openRedisServers } from './testing/redis-servers.ts';
import { watchBroker } from './testing/watched-broker.ts';

const log = openLogger('test', 'silent');
const password = 'secret';
const servers = openRedisServers('sentinels');
const { freePort, start } = servers;
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  servers.close();
});

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

  servers.kill('first');
  const killedAt = Date.now();
  await watched.goesOn('after');
  // One second until the sentinels believe it, and what they take to agree.
  expect(Date.now() - killedAt).toBeLessThan(15_000);
});
