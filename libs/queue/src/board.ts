import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { queueNames, queueOf, queues } from '@kiln/schemas';
import { Queue } from 'bullmq';
import { type Redis } from 'ioredis';

/** What a dashboard over Redis is shown: every queue, with no more of a job than the ids in it. */
export interface BoardQueues {
  /** A queue that is made while Redis is away never becomes usable: undefined then. */
  adapters(options: { readOnly: boolean }): BullMQAdapter[] | undefined;
  close: () => Promise<void>;
}

/** Of a payload, what its queue says that it is; whatever else somebody put there is not shown. */
const shownPayload = (name: keyof typeof queues, data: unknown): unknown => {
  const parsed = queues[name].safeParse(data);
  return parsed.success ? parsed.data : 'not a payload of this queue';
};

/** @param pools pools of builders, each of which has a queue of its own */
export function openBoardQueues(redis: Redis, prefix: string, pools: readonly string[]): BoardQueues {
  const named = [
    ...queueNames.map((name) => ({ name, queue: queueOf(name) })),
    ...pools.map((pool) => ({ name: 'image-build' as const, queue: queueOf('image-build', pool) })),
  ];
  const opened: Queue[] = [];
  const open = (queue: string): Queue => {
    const made = new Queue(queue, { connection: redis, prefix });
    made.on('error', () => undefined); // told by the call that fails
    opened.push(made);
    return made;
  };
  return {
    adapters({ readOnly }) {
      if (redis.status !== 'ready') return undefined;
      return named.map(({ name, queue }) => {
        const adapter = new BullMQAdapter(open(queue), { readOnlyMode: readOnly, allowRetries: false });
        adapter.setFormatter('data', (data: unknown) => shownPayload(name, data));
        return adapter;
      });
    },
    async close() {
      await Promise.all(opened.map((it) => it.close().catch(() => undefined)));
    },
  };
}
