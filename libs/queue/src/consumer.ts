import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@kiln/kit';
import { queueOf, queues, type QueueName, type QueuePayload } from '@kiln/contract';
import type { Queue, Worker } from 'bullmq';
import type { Broker, ProcessJob } from './broker.ts';

export interface Consumer {
  /** Takes no jobs, or takes them again; those under way go on. */
  pause: (paused: boolean) => void;
  /** Stops taking jobs and waits for those under way. */
  close: () => Promise<void>;
}

/** How long the queue may take to hear that jobs have ended: where it is away, the sweeper tells it later. */
const tellMaxMs = 5000;
/**
 * Between two looks at whether jobs wait that an idle worker does not take; the second one in a row counts. One that
 * does not hang asks for jobs every second, or with PostgreSQL every five seconds.
 */
const lookEveryMs = 3000;
/** Between two tries to begin, where the server is away. */
const beginAgainMs = 1000;

/**
 * Runs `handle` for each job of a queue. A handler decides by its row in PostgreSQL whether there is anything to do, so
 * a job that comes twice does no harm; one that throws is logged and dropped, and the sweeper announces the row again.
 */
export function consume<N extends QueueName>(
  options: { broker: Broker; queue: N; pool?: string; builder?: string | undefined; concurrency: number; log: Logger },
  handle: (payload: QueuePayload<N>) => Promise<void>,
): Consumer {
  const { broker, queue, pool, builder, concurrency, log } = options;
  const schema = queues[queue];
  const name = queueOf(queue, pool, builder);
  const handling = new Set<Promise<void>>();
  let taken = 0;
  const process: ProcessJob = async (job) => {
    const payload = schema.safeParse(job.data);
    if (!payload.success) return log.error({ queue, job: job.id }, 'payload does not parse; dropped');
    const running = handle(payload.data as QueuePayload<N>).catch((error: unknown) =>
      log.error({ err: error, queue, job: job.id }, 'job failed'),
    );
    handling.add(running);
    taken += 1;
    await running.finally(() => handling.delete(running));
  };
  const open = (): Worker => {
    const worker = broker.openWorker(name, process, {
      concurrency,
      lockDuration: 30_000,
      stalledInterval: 10_000,
      // The fence in PostgreSQL decides what a repeated job may do; the queue's own count of stalls must not end a
      // build.
      maxStalledCount: 1_000_000,
    });
    worker.on('error', (error) => log.warn({ err: error.message, queue }, 'queue worker'));
    return worker;
  };
  let worker = open();
  let hasBegun = false;
  let isClosing = false;
  let isPaused = false;
  // One that was made while its server was away stays useless: another is made then.
  const begin = async (): Promise<void> => {
    for (let isTold = false; !isClosing; isTold = true) {
      try {
        await worker.waitUntilReady();
        hasBegun = true;
        if (isPaused) return;
        return void worker.run().catch((error: unknown) => log.error({ err: error, queue }, 'queue worker ended'));
      } catch (error) {
        if (!isTold) log.warn({ err: error, queue }, 'queue worker cannot begin; it tries again');
        await worker.close().catch(() => undefined);
        await sleep(beginAgainMs);
        if (!isClosing) worker = open();
      }
    }
  };
  void begin();
  let jobs: Queue | undefined;
  let [idleLooks, takenBefore] = [0, 0];
  // What a worker asked of a server of a cluster that was killed then may be lost without an error: it waits for ever.
  const look = async (): Promise<void> => {
    const isIdle = hasBegun && !isPaused && handling.size === 0 && taken === takenBefore && broker.isReachable();
    takenBefore = taken;
    if (isIdle) jobs ??= broker.openQueue(name).on('error', () => undefined);
    const waiting = isIdle ? await jobs?.getWaitingCount().catch(() => 0) : 0;
    idleLooks = waiting && taken === takenBefore ? idleLooks + 1 : 0;
    if (idleLooks < 2 || isClosing) return;
    log.warn({ queue, waiting }, 'queue worker takes nothing; another one is made');
    [idleLooks, hasBegun] = [0, false];
    broker.discardWorker(worker);
    worker = open();
    void begin();
  };
  const looking = setInterval(() => void look(), lookEveryMs);
  return {
    pause(paused) {
      isPaused = paused;
      if (!hasBegun) return;
      if (paused) void worker.pause(true);
      else void worker.resume();
    },
    async close() {
      isClosing = true;
      clearInterval(looking);
      void jobs?.close().catch(() => undefined);
      const closed = worker.close().catch((error: unknown) => log.warn({ err: error, queue }, 'queue worker'));
      while (handling.size > 0) await Promise.all(handling);
      await Promise.race([closed, sleep(tellMaxMs)]);
    },
  };
}
