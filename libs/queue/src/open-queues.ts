import { queueNames, queueOf } from '@kiln/contract';
import { Queue } from 'bullmq';
import { type Redis } from 'ioredis';
import { openTelemetry } from './telemetry.ts';

/** Queues by their names in Redis. */
export interface OpenQueues {
  get(name: string): Queue;
  close: () => Promise<void>;
}

/** Each is opened on first use: a Queue that is made while Redis is away never becomes usable. */
export function openQueues(redis: Redis, prefix: string): OpenQueues {
  const open = new Map<string, Queue>();
  return {
    get(name) {
      const found = open.get(name);
      if (found) return found;
      const made = new Queue(name, { connection: redis, prefix, ...openTelemetry() });
      made.on('error', () => undefined); // told by the call that fails
      open.set(name, made);
      return made;
    },
    async close() {
      await Promise.all([...open.values()].map((it) => it.close()));
    },
  };
}

/** Every queue with its name in Redis; each pool of builders has one of its own. */
export const everyQueue = (pools: readonly string[]) => [
  ...queueNames.map((name) => ({ name, queue: queueOf(name) })),
  ...pools.map((pool) => ({ name: 'image-build' as const, queue: queueOf('image-build', pool) })),
];
