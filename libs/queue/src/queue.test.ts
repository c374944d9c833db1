import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLogger, openPollLoop, Secret } from '@kiln/kit';
import { eventually, testStack } from '@kiln/kit/testing';
import { DEFAULT_SCHEMA, runMigrations } from 'bullmq';
import pg from 'pg';
import type { Broker } from './broker.ts';
import { consume } from './consumer.ts';
import { openPostgresBroker } from './postgres-broker.ts';
import { openProducer } from './producer.ts';
import { openRedisBroker } from './redis-broker.ts';
import { closeRedis, openRedis } from './redis.ts';
import { openSignals } from './signals.ts';
import { openRedisServers } from './testing/redis-servers.ts';
import { job, watchBroker } from './testing/watched-broker.ts';

const log = openLogger('test', 'silent');
const stack = testStack();
const url = new Secret(stack.redisUrl);
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});
/** The queues of a Kiln of its own in Redis. */
const inRedis = (prefix: string, at = url): Promise<Broker> =>
  Promise.resolve(openRedisBroker({ address: { url: at }, prefix, log }));

/** A pool that finds BullMQ's tables first. */
const queuePool = (connectionString: string) =>
  new pg.Pool({ connectionString, options: `-c search_path=${DEFAULT_SCHEMA}`, connectionTimeoutMillis: 2000 })
    .setMaxListeners(0)
    .on('error', () => undefined);

/** The same in a database of its own. */
async function inPostgres(name: string): Promise<Broker> {
  const database = name.replaceAll('-', '_');
  const server = new pg.Client({ connectionString: stack.postgresUrl });
  await server.connect();
  closers.push(() => server.end());
  await server.query(`CREATE DATABASE ${database}`);
  closers.push(() => server.query(`DROP DATABASE ${database} WITH (FORCE)`));
  const address = new URL(stack.postgresUrl);
  address.pathname = database;
  const pool = queuePool(address.href);
  closers.push(() => pool.end());
  const owner = new pg.Client({ connectionString: address.href });
  await owner.connect();
  await runMigrations(owner).finally(() => owner.end());
  return openPostgresBroker({ pool, log });
}

describe.each([
  ['redis', inRedis],
  ['postgres', inPostgres],
] as const)('queues in %s', (kind, open) => {
  let broker: Broker;
  const opened = async (): Promise<Broker> => {
    const made = await open(`test-${randomUUID().slice(0, 8)}`);
    closers.push(made.close);
    return made;
  };
  const producerOf = (of: Broker) => {
    const producer = openProducer(of);
    closers.push(producer.close);
    return producer;
  };
  const consumerOf = (of: Broker, concurrency: number, handle: (id: string) => Promise<void> | void) => {
    const consumer = consume({ broker: of, queue: 'image-build', concurrency, log }, async ({ buildId }) =>
      handle(buildId),
    );
    closers.push(consumer.close);
    return consumer;
  };
  beforeAll(async () => {
    broker = await opened();
  });

  it('deliver a job once however often it is sent, and again after it is done', async () => {
    const producer = producerOf(broker);
    await producer.send([job('a'), job('a'), job('b')]);
    await producer.send([job('a')]);
    const seen: string[] = [];
    consumerOf(broker, 2, (id) => void seen.push(id));
    await eventually(() => (seen.length >= 2 ? true : undefined), 'both jobs');
    expect([...seen].sort()).toEqual(['a', 'b']);
    await eventually(
      async () => ((await producer.counts())['image-build']?.['active'] === 0 ? true : undefined),
      'the jobs to be done',
    );
    await producer.send([job('a')]);
    await eventually(() => (seen.length === 3 ? true : undefined), 'the job sent anew');
  });

  it('go on after a handler that throws, and refuse what does not parse', async () => {
    const own = await opened();
    const producer = producerOf(own);
    await expect(producer.send([{ topic: 'image-build', key: 'bad', payload: { buildId: 1 } }])).rejects.toThrow();
    const seen: string[] = [];
    consumerOf(own, 1, (id) => {
      seen.push(id);
      return id === 'a' ? Promise.reject(new Error('no')) : Promise.resolve();
    });
    await producer.send([job('a'), job('b')]);
    await eventually(() => (seen.includes('b') ? true : undefined), 'the second job');
  });

  it('give nothing to a consumer that pauses, from its beginning too, until it goes on', async () => {
    const own = await opened();
    const producer = producerOf(own);
    const seen: string[] = [];
    const consumer = consumerOf(own, 1, (id) => void seen.push(id));
    consumer.pause(true);
    await producer.send([job('a')]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(seen).toEqual([]);
    consumer.pause(false);
    await eventually(() => (seen.length === 1 ? true : undefined), 'the job');
    consumer.pause(true);
    await producer.send([job('b'), job('c')]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // The one that it was waiting for already may come yet.
    expect(seen.length).toBeLessThan(3);
    consumer.pause(false);
    await eventually(() => (seen.length === 3 ? true : undefined), 'the other jobs');
  });

  it('take a job within a tenth of a second, however long nothing came', async () => {
    const own = await opened();
    const producer = producerOf(own);
    let took: (id: string) => void = () => undefined;
    consumerOf(own, 1, (id) => took(id));
    await producer.send([job('first')]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const waits: number[] = [];
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      const taken = new Promise<string>((resolve) => (took = resolve));
      const sent = performance.now();
      await producer.send([job(id)]);
      expect(await taken).toBe(id);
      waits.push(performance.now() - sent);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    // Of five, the middle one: the machine has more to do.
    expect(waits.sort((a, b) => a - b)[2]).toBeLessThan(100);
  });

  it('wake listeners of the same id only', async () => {
    const signals = openSignals(broker);
    closers.push(signals.close);
    const seen: string[] = [];
    signals.on('cancel', 'x', () => seen.push('x'));
    const stop = signals.on('cancel', 'y', () => seen.push('y'));
    await eventually(() => {
      signals.send('cancel', 'x');
      return seen.length > 0 ? true : undefined;
    }, 'the signal');
    expect(new Set(seen)).toEqual(new Set(['x']));
    stop();
  });

  it('say whether they were told that they know all', async () => {
    const own = await opened();
    const producer = producerOf(own);
    expect(await producer.isMarked()).toBe(kind === 'postgres');
    await producer.mark();
    expect(await producer.isMarked()).toBe(true);
  });
});

describe('queues in postgres', () => {
  it('go on after the server has ended every connection', async () => {
    const name = `test_${randomUUID().slice(0, 8)}`;
    const broker = await inPostgres(name);
    const watched = watchBroker(broker, log);
    closers.push(watched.close);
    await watched.send('a');
    await watched.took('a');
    const server = new pg.Client({ connectionString: stack.postgresUrl });
    await server.connect();
    await server.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await server.end();
    await watched.goesOn('b');
  });
});

describe.each([
  ['redis', () => openRedisBroker({ address: { url: new Secret('redis://127.0.0.1:1') }, prefix: 'away', log })],
  ['postgres', () => openPostgresBroker({ pool: queuePool('postgres://127.0.0.1:1/kiln'), log })],
] as const)('a %s that is away', (_kind, open) => {
  it('fails a call within seconds, instead of leaving it hanging', async () => {
    const broker = open();
    const producer = openProducer(broker);
    const started = Date.now();
    await expect(producer.send([job('c')])).rejects.toThrow();
    expect(Date.now() - started).toBeLessThan(15_000);
    await producer.close();
    await broker.close();
  });
});

it('a consumer begins when a PostgreSQL that was away at its start has come', async () => {
  const name = `test_${randomUUID().slice(0, 8)}`;
  const there = await inPostgres(name);
  closers.push(there.close);
  const reserved = createServer();
  await new Promise<void>((resolve) => reserved.listen(0, '127.0.0.1', resolve));
  const { port } = reserved.address() as AddressInfo;
  await new Promise((resolve) => reserved.close(resolve));
  const address = new URL(stack.postgresUrl);
  const server = Number(address.port);
  address.port = String(port);
  address.pathname = name;
  const pool = queuePool(address.href);
  closers.push(() => pool.end());
  const broker = openPostgresBroker({ pool, log });
  closers.push(broker.close);
  const seen: string[] = [];
  const consumer = consume({ broker, queue: 'image-build', concurrency: 1, log }, ({ buildId }) =>
    Promise.resolve(void seen.push(buildId)),
  );
  closers.push(consumer.close);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const listeners = pool.listenerCount('error');
  const come = createServer((near) => {
    const far = connect(server, '127.0.0.1');
    for (const end of [near, far]) end.on('error', () => [near, far].forEach((it) => it.destroy()));
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => come.listen(port, '127.0.0.1', resolve));
  closers.push(() => come.close());
  const producer = openProducer(there);
  closers.push(producer.close);
  await producer.send([job('a')]);
  await eventually(() => (seen.length === 1 ? true : undefined), 'the job');
  // However often it tried, one worker is left that listens.
  expect(pool.listenerCount('error')).toBeLessThanOrEqual(listeners + 1);
});

it('a consumer closes soon when its server went away while it worked', async () => {
  const servers = openRedisServers('closing');
  const port = await servers.freePort();
  servers.start('only', [`port ${port}`, 'save ""']);
  const away = openRedisBroker({ address: { url: new Secret(`redis://127.0.0.1:${port}`) }, prefix: 'test', log });
  const producer = openProducer(away);
  let begun = false;
  let end: () => void = () => undefined;
  const worked = new Promise<void>((resolve) => (end = resolve));
  const consumer = consume({ broker: away, queue: 'image-build', concurrency: 1, log }, () => {
    begun = true;
    return worked;
  });
  try {
    await eventually(
      () =>
        producer.send([job('a')]).then(
          () => true as const,
          () => undefined,
        ),
      'a server',
    );
    await eventually(() => begun || undefined, 'the job');
    servers.kill('only');
    const closing = consumer.close();
    expect(await Promise.race([closing.then(() => 'closed'), sleep(500)])).toBe(undefined);
    end();
    const endedAt = Date.now();
    await closing;
    expect(Date.now() - endedAt).toBeLessThan(15_000);
  } finally {
    await producer.close();
    await away.close();
    servers.close();
  }
});

describe('a connection to redis', () => {
  it.each(['command', 'blocking'] as const)(
    'for %s is given up when the server does not greet back',
    async (patience) => {
      let connections = 0;
      const silent = createServer((socket) => {
        connections += 1;
        socket.on('error', () => undefined).resume();
      });
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const { port } = silent.address() as AddressInfo;
      const opened = openRedis({ url: new Secret(`redis://:x@127.0.0.1:${port}`) }, patience, log);
      await eventually(() => (connections >= 2 ? true : undefined), 'another connection');
      closeRedis(opened);
      silent.close();
    },
  );
});

describe('relay', () => {
  it('passes at once when woken, goes on while there is more, and survives a failing pass', async () => {
    let left = 0;
    let failures = 1;
    let passed = 0;
    const relay = openPollLoop(
      'test',
      () => {
        if (failures > 0 && left > 0) {
          failures -= 1;
          return Promise.reject(new Error('away'));
        }
        const sent = Math.min(left, 10);
        left -= sent;
        passed += sent;
        return Promise.resolve(sent);
      },
      log,
    );
    left = 25;
    relay.wake();
    await eventually(() => (passed === 25 ? true : undefined), 'all to be passed');
    await relay.close();
  });
});
