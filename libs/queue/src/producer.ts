import { isTracing, withTrace } from '@kiln/kit';
import { queueNames, queueOf, queues } from '@kiln/contract';
import type { Queue } from 'bullmq';
import type { Broker } from './broker.ts';
import { everyQueue, openQueues, type QueueBuilder } from './open-queues.ts';

export interface QueueJob {
  topic: string;
  key: string;
  payload: unknown;
  /** The span to which it belongs. */
  trace?: string | null;
}

export interface Producer {
  kind: Broker['kind'];
  /**
   * Adds jobs to their queues; one whose key is still there is left as it is.
   * @throws Error when the broker does not answer within 5 s
   */
  send(jobs: QueueJob[]): Promise<void>;
  /** Whether the broker has the mark that `mark` leaves there: it goes when the broker loses what it knew. */
  isMarked(): Promise<boolean>;
  mark(): Promise<void>;
  /** Jobs by state of each queue, those of pools and of builders among them, for dashboards. */
  counts(
    pools?: readonly string[],
    builders?: readonly QueueBuilder[],
  ): Promise<Record<string, Record<string, number>>>;
  /** Removes the queue of a builder that is gone. */
  removeQueue(builder: QueueBuilder): Promise<void>;
  close: () => Promise<void>;
}

const withTimeout = async <T>(work: Promise<T>, ms: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the queue did not answer within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

/** One alone is cheaper to add as one: PostgreSQL makes tables for a batch. */
function addAll(queue: Queue, bulk: Parameters<Queue['addBulk']>[0]): Promise<unknown> {
  const [first, ...rest] = bulk;
  return first && rest.length === 0 ? queue.add(first.name, first.data, first.opts) : queue.addBulk(bulk);
}

export function openProducer(broker: Broker): Producer {
  const opened = openQueues(broker);
  return {
    kind: broker.kind,
    async send(jobs) {
      for (const name of queueNames) {
        const traced: (() => Promise<unknown>)[] = [];
        const byQueue = new Map<string, Parameters<Queue['addBulk']>[0]>();
        for (const it of jobs.filter(({ topic }) => topic === name)) {
          const data = queues[name].parse(it.payload);
          const to = 'buildId' in data ? queueOf(name, data.pool, data.builder) : queueOf(name);
          // Retries and history live in PostgreSQL; a job that is done leaves nothing, so that its key is free again.
          const opts = { jobId: it.key, attempts: 1, removeOnComplete: true, removeOnFail: true };
          if (isTracing() && it.trace) {
            // Each in its own trace, which a batch cannot be.
            const { trace } = it;
            traced.push(() => withTrace(trace, () => opened.get(to).add(name, data, opts)));
          } else byQueue.set(to, [...(byQueue.get(to) ?? []), { name, data, opts }]);
        }
        if (traced.length > 0) await withTimeout(Promise.all(traced.map((add) => add())), 5000);
        for (const [to, bulk] of byQueue) await withTimeout(addAll(opened.get(to), bulk), 5000);
      }
    },
    isMarked: () => withTimeout(broker.isMarked(), 2000),
    mark: () => withTimeout(broker.mark(), 2000),
    async counts(pools = [], builders = []) {
      const entries = everyQueue(pools, builders).map(
        async ({ queue }) => [queue, await withTimeout(opened.get(queue).getJobCounts(), 5000)] as const,
      );
      return Object.fromEntries(await Promise.all(entries));
    },
    async removeQueue({ name, pool }) {
      await withTimeout(opened.remove(queueOf('image-build', pool, name)), 5000);
    },
    async close() {
      // Closing says goodbye to a server that may be away.
      await withTimeout(opened.close(), 1000).catch(() => undefined);
    },
  };
}
