import { randomUUID } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { openLogger, Secret } from '@kiln/kit';
import { eventually, testStack } from '@kiln/kit/testing';
import { closeRedis, openRedis } from './redis.ts';
import { consume } from './consumer.ts';
import { openProducer } from './producer.ts';
import { openPollLoop } from '@kiln/kit';
import { openSignals } from './signals.ts';

const log = openLogger('test', 'silent');
const prefix = `test-${randomUUID().slice(0, 8)}`;
const url = new Secret(testStack().redisUrl);
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});
const redis = (patience: 'command' | 'blocking') => {
  const opened = openRedis(url, patience, log);
  closers.push(() => closeRedis(opened));
  return opened;
};
const job = (buildId: string, attempt = 0) => ({
  topic: 'image-build',
  key: `${buildId}-${attempt}`,
  payload: { v: 1, buildId, attempt },
});

describe('queue', () => {
  it('delivers a job once however often it is sent, and again after it is done', async () => {
    const producer = openProducer(redis('command'), prefix);
    closers.push(producer.close);
    await producer.send([job('a'), job('a'), job('b')]);
    await producer.send([job('a')]);
    const seen: string[] = [];
    const consumer = consume(
      { redis: redis('blocking'), prefix, queue: 'image-build', concurrency: 2, log },
      ({ buildId }) => Promise.resolve(void seen.push(buildId)),
    );
    closers.push(consumer.close);
    await eventually(() => (seen.length >= 2 ? true : undefined), 'both jobs');
    expect([...seen].sort()).toEqual(['a', 'b']);
    await eventually(
      async () => ((await producer.counts())['image-build']?.['active'] === 0 ? true : undefined),
      'the jobs to be done',
    );
    await producer.send([job('a')]);
    await eventually(() => (seen.length === 3 ? true : undefined), 'the job sent anew');
  });

  it('goes on after a handler that throws, and drops what does not parse', async () => {
    const producer = openProducer(redis('command'), `${prefix}-2`);
    closers.push(producer.close);
    await expect(producer.send([{ topic: 'image-build', key: 'bad', payload: { buildId: 1 } }])).rejects.toThrow();
    const seen: string[] = [];
    const consumer = consume(
      { redis: redis('blocking'), prefix: `${prefix}-2`, queue: 'image-build', concurrency: 1, log },
      ({ buildId }) => {
        seen.push(buildId);
        return buildId === 'a' ? Promise.reject(new Error('no')) : Promise.resolve();
      },
    );
    closers.push(consumer.close);
    await producer.send([job('a'), job('b')]);
    await eventually(() => (seen.includes('b') ? true : undefined), 'the second job');
  });

  it('fails within seconds when Redis is away, instead of hanging', async () => {
    const away = openRedis(new Secret('redis://127.0.0.1:1'), 'command', log);
    const producer = openProducer(away, prefix);
    const started = Date.now();
    await expect(producer.send([job('c')])).rejects.toThrow();
    expect(Date.now() - started).toBeLessThan(6000);
    closeRedis(away);
    await producer.close();
  });

  it('wakes listeners of the same id only', async () => {
    const signals = openSignals(redis('command'), redis('blocking'), prefix);
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
});

describe('a connection', () => {
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
      const opened = openRedis(new Secret(`redis://:x@127.0.0.1:${port}`), patience, log);
      await eventually(() => (connections >= 2 ? true : undefined), 'another connection', 8000);
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
