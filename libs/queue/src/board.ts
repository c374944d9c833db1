import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { queues } from '@kiln/contract';
import type { Broker } from './broker.ts';
import { everyQueue, openQueues, type QueueBuilder } from './open-queues.ts';

/** What a dashboard over the queues is shown: every queue, with no more of a job than the ids in it. */
export interface BoardQueues {
  /** A queue that is made while Redis is away never becomes usable: undefined then. */
  adapters(options: { readOnly: boolean; builders: readonly QueueBuilder[] }): BullMQAdapter[] | undefined;
  close: () => Promise<void>;
}

/** Of a payload, what its queue says that it is; whatever else somebody put there is not shown. */
const shownPayload = (name: keyof typeof queues, data: unknown): unknown => {
  const parsed = queues[name].safeParse(data);
  return parsed.success ? parsed.data : 'not a payload of this queue';
};

/** @param pools pools of builders, each of which has a queue of its own */
export function openBoardQueues(broker: Broker, pools: readonly string[]): BoardQueues {
  const opened = openQueues(broker);
  return {
    adapters({ readOnly, builders }) {
      if (!broker.isReachable()) return undefined;
      return everyQueue(pools, builders).map(({ name, queue }) => {
        const adapter = new BullMQAdapter(opened.get(queue), { readOnlyMode: readOnly, allowRetries: false });
        adapter.setFormatter('data', (data: unknown) => shownPayload(name, data));
        return adapter;
      });
    },
    async close() {
      // Closing says goodbye to a server that may be away.
      await opened.close().catch(() => undefined);
    },
  };
}
