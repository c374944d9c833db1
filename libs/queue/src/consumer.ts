import { type Logger } from '@kiln/kit';
import { queueOf, queues, type QueueName, type QueuePayload } from '@kiln/contract';
import { Worker } from 'bullmq';
import { type Redis } from 'ioredis';
import { openTelemetry } from './telemetry.ts';

export interface Consumer {
  /** Takes no jobs, or takes them again; those under way go on. */
  pause: (paused: boolean) => void;
  /** Stops taking jobs and waits for those under way. */
  close: () => Promise<void>;
}

/**
 * Runs `handle` for each job of a queue. A handler decides by its row in PostgreSQL whether there is anything to do, so
 * a job that comes twice does no harm; one that throws is logged and dropped, and the sweeper announces the row again.
 */
export function consume<N extends QueueName>(
  options: { redis: Redis; prefix: string; queue: N; pool?: string; concurrency: number; log: Logger },
  handle: (payload: QueuePayload<N>) => Promise<void>,
): Consumer {
  const { redis, prefix, queue, pool, concurrency, log } = options;
  const schema = queues[queue];
  const worker = new Worker(
    queueOf(queue, pool),
    async (job) => {
      const payload = schema.safeParse(job.data);
      if (!payload.success) return log.error({ queue, job: job.id }, 'payload does not parse; dropped');
      try {
        await handle(payload.data as QueuePayload<N>);
      } catch (error) {
        log.error({ err: error, queue, job: job.id }, 'job failed');
      }
    },
    {
      connection: redis,
      prefix,
      ...openTelemetry(),
      concurrency,
      lockDuration: 30_000,
      stalledInterval: 10_000,
      // Seconds that one wait for work takes: a dead connection is noticed by the wait that does not end.
      drainDelay: 1,
      // The fence in PostgreSQL decides what a repeated job may do; the queue's own count of stalls must not end a
      // build.
      maxStalledCount: 1_000_000,
    },
  );
  worker.on('error', (error) => log.warn({ err: error.message, queue }, 'queue worker'));
  return {
    pause(paused) {
      if (paused) void worker.pause(true);
      else void worker.resume();
    },
    close: () => worker.close(),
  };
}
