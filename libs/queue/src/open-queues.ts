import { queueNames, queueOf } from '@kiln/contract';
import type { Queue } from 'bullmq';
import type { Broker } from './broker.ts';

/** Queues by their names. */
export interface OpenQueues {
  get(name: string): Queue;
  /** Removes a queue with all that is in it. */
  remove(name: string): Promise<void>;
  close: () => Promise<void>;
}

/** Builders, which may have queues of their own, come and go. */
const openMax = 1000;

/** Each is opened on first use, and anew where the server was away then: that one would never become usable. */
export function openQueues(broker: Broker): OpenQueues {
  const open = new Map<string, Queue>();
  return {
    get(name) {
      const found = open.get(name);
      if (found) {
        // The last one used is the last one to go.
        open.delete(name);
        open.set(name, found);
        return found;
      }
      const made = broker.openQueue(name);
      made.on('error', () => undefined); // told by the call that fails
      made.waitUntilReady().catch(() => {
        open.delete(name);
        return made.close();
      });
      open.set(name, made);
      const [oldest] = open.size > openMax ? open : [];
      if (oldest) {
        open.delete(oldest[0]);
        oldest[1].close().catch(() => undefined);
      }
      return made;
    },
    async remove(name) {
      const queue = this.get(name);
      await queue.obliterate({ force: true });
      open.delete(name);
      await queue.close();
    },
    async close() {
      await Promise.all([...open.values()].map((it) => it.close()));
    },
  };
}

/** A builder that has a queue of its own. */
export interface QueueBuilder {
  name: string;
  pool: string;
}

/** Every queue with its name at the broker; pools of builders have queues of their own, and so may builders. */
export const everyQueue = (pools: readonly string[], builders: readonly QueueBuilder[]) => [
  ...queueNames.map((name) => ({ name, queue: queueOf(name) })),
  ...pools.map((pool) => ({ name: 'image-build' as const, queue: queueOf('image-build', pool) })),
  ...builders.map(({ name, pool }) => ({ name: 'image-build' as const, queue: queueOf('image-build', pool, name) })),
];
