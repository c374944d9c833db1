import type { Logger } from '@kiln/kit';
import { Queue, Worker } from 'bullmq';
import type { Broker } from './broker.ts';
import { closeRedis, openRedis, prefixFor, type RedisAddress } from './redis.ts';
import { openTelemetry } from './telemetry.ts';

/** @param prefix namespace of all keys and channels */
export function openRedisBroker({
  address,
  prefix: ofKiln,
  log,
}: {
  address: RedisAddress;
  prefix: string;
  log: Logger;
}): Broker {
  const prefix = prefixFor(address, ofKiln);
  const opened = new Set<ReturnType<typeof openRedis>>();
  const connect = (patience: 'command' | 'blocking') => {
    const redis = openRedis(address, patience, log);
    opened.add(redis);
    return redis;
  };
  const disconnect = (redis: ReturnType<typeof openRedis>) => {
    opened.delete(redis);
    closeRedis(redis);
  };
  const connections = new WeakMap<Worker, ReturnType<typeof openRedis>>();
  const redis = connect('command');
  const mark = `${prefix}:epoch`;
  const channel = `${prefix}:signal:`;
  return {
    kind: 'redis',
    openQueue: (name) => new Queue(name, { connection: redis, prefix, ...openTelemetry() }),
    openWorker(name, process, options) {
      const connection = connect('blocking');
      const worker = new Worker(name, process, {
        connection,
        prefix,
        ...openTelemetry(),
        ...options,
        autorun: false,
        // Seconds that one wait for work takes: a dead connection is noticed by the wait that does not end.
        drainDelay: 1,
      });
      connections.set(worker, connection);
      // BullMQ closes only the connections that it made.
      worker.on('closed', () => disconnect(connection));
      return worker;
    },
    discardWorker(worker) {
      void worker.close(true).catch(() => undefined);
      const connection = connections.get(worker);
      if (connection) disconnect(connection);
    },
    isReachable: () => redis.status === 'ready',
    isMarked: async () => (await redis.exists(mark)) === 1,
    async mark() {
      await redis.set(mark, new Date().toISOString());
    },
    async publish(messages) {
      await Promise.all(messages.map(({ topic, id }) => redis.publish(`${channel}${topic}`, id)));
    },
    subscribe(topics, listen) {
      const subscriber = connect('blocking');
      // ioredis subscribes again by itself after a reconnect.
      subscriber.subscribe(...topics.map((it) => `${channel}${it}`)).catch(() => undefined);
      // A subscriber says nothing, so that it would not notice a connection that has died without a word.
      const ping = setInterval(() => void subscriber.ping().catch(() => undefined), 3000);
      subscriber.on('message', (from: string, id: string) => listen({ topic: from.slice(channel.length), id }));
      return () => {
        clearInterval(ping);
        disconnect(subscriber);
      };
    },
    close() {
      opened.forEach(disconnect);
      return Promise.resolve();
    },
  };
}
