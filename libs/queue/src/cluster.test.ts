import { openLogger, Secret } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import { Redis } from 'ioredis';
import { openRedisBroker } from './redis-broker.ts';
import { openRedisServers } from './testing/redis-servers.ts';
import { watchBroker } from './testing/watched-broker.ts';

const log = openLogger('test', 'silent');
const password = 'secret';
const servers = openRedisServers('cluster');
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  servers.close();
});

const slots = 16_384;
/** After which the servers believe that one is gone: not one that a busy machine lets wait. */
const silenceMs = 4000;

/** Three servers that share the slots, and one behind each that follows it. */
async function startCluster() {
  const ports: number[] = [];
  for (let n = 0; n < 6; n += 1) {
    const port = await servers.freePort();
    ports.push(port);
    const own = [`requirepass ${password}`, `masterauth ${password}`, 'save ""', 'appendonly no'];
    const cluster = [
      'cluster-enabled yes',
      `cluster-config-file nodes-${port}.conf`,
      `cluster-node-timeout ${silenceMs}`,
    ];
    servers.start(String(port), [`port ${port}`, ...own, ...cluster]);
  }
  const nodes = ports.map((port) => new Redis({ host: '127.0.0.1', port, password, maxRetriesPerRequest: null }));
  closers.push(() => nodes.forEach((it) => it.disconnect()));
  for (const it of nodes) it.on('error', () => undefined);
  const [first] = nodes;
  if (!first) throw new Error('no server');
  for (const port of ports.slice(1)) await first.cluster('MEET', '127.0.0.1', port);
  for (const [n, it] of nodes.slice(0, 3).entries())
    await it.cluster('ADDSLOTSRANGE', Math.floor((n * slots) / 3), Math.floor(((n + 1) * slots) / 3) - 1);
  const ids = await Promise.all(nodes.map((it) => it.cluster('MYID')));
  const knows = async (text: string, count: number) =>
    (await Promise.all(nodes.map((it) => it.cluster('NODES') as Promise<string>))).every(
      (it) => it.split(text).length - 1 === count,
    ) || undefined;
  await eventually(() => knows(' connected', 6), 'the servers to know each other');
  for (const [n, it] of nodes.slice(3).entries()) await it.cluster('REPLICATE', ids[n] ?? '');
  await eventually(() => knows('slave', 3), 'three of them to follow the others');
  const isWhole = async () =>
    (await Promise.all(nodes.map((it) => it.cluster('INFO')))).every((it) => String(it).includes('cluster_state:ok')) ||
    undefined;
  await eventually(isWhole, 'a cluster');
  const follow = async () =>
    (await Promise.all(nodes.slice(3).map((it) => it.info('replication')))).every((it) =>
      it.includes('master_link_status:up'),
    ) || undefined;
  await eventually(follow, 'what is written to be followed');
  return { ports, nodes };
}

it('queues and signals go on after the server of a cluster was killed that has them', async () => {
  const { ports, nodes } = await startCluster();
  const url = new Secret(`redis://:${password}@the-cluster-knows-better:1`);
  const cluster = ports.slice(0, 2).map((port) => ({ host: '127.0.0.1', port }));
  const broker = openRedisBroker({ address: { url, cluster }, prefix: 'test', log });
  closers.push(broker.close);
  const watched = watchBroker(broker, log);
  closers.push(watched.close);
  await broker.mark();
  await watched.send('before');
  await watched.took('before');
  expect(await broker.isMarked()).toBe(true);

  // All of Kiln's keys are on one server.
  const sizes = await Promise.all(nodes.slice(0, 3).map((it) => it.dbsize()));
  const owner = sizes.findIndex((it) => it > 0);
  expect(sizes.filter((it) => it > 0)).toHaveLength(1);
  servers.kill(String(ports[owner]));
  // Within seconds; on a busy machine, once a worker that waits for ever has been replaced.
  await watched.goesOn('after');
  expect(await broker.isMarked()).toBe(true);
}, 400_000);
