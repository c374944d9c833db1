import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@kiln/kit';
import {
  type BackendFactory,
  type ConnectionOptions,
  createPostgresBackend,
  type PgPool,
  PostgresConnection,
  Queue,
  type RedisQueueBackend,
  Worker,
} from 'bullmq';
import type pg from 'pg';
import type { Broker } from './broker.ts';
import { openTelemetry } from './telemetry.ts';

/** The one channel of all signals: a listener of PostgreSQL's is told of every one anyway. */
const channel = 'kiln_signals';

/** Until a worker looks for work without having been told of any: a connection that died without a word tells nothing. */
const longestWaitSeconds = 5;
const afterFailureMs = 500;

/**
 * BullMQ's backend, for a server that comes and goes: a worker that was refused does not ask again at once, and none
 * waits for longer than it may, not after an error either.
 */
const createPatientBackend: typeof createPostgresBackend = (name, opts, more) => {
  const made = createPostgresBackend(name, opts, more);
  const take: (...about: Parameters<typeof made.moveToActive>) => Promise<unknown[]> = made.moveToActive.bind(made);
  made.moveToActive = async (...about) => {
    try {
      return await take(...about);
    } catch (error) {
      await sleep(afterFailureMs);
      throw error;
    }
  };
  Object.defineProperty(made, 'maximumBlockTimeout', { value: longestWaitSeconds });
  return made;
};

// BullMQ's types tell its backends apart, which is nothing to those who use a queue.
const backend = createPatientBackend as unknown as BackendFactory<RedisQueueBackend>;

/**
 * BullMQ on PostgreSQL.
 * @param pool its connections find BullMQ's schema on their search path; each worker and each subscriber keeps one
 */
export function openPostgresBroker({ pool, log }: { pool: pg.Pool; log: Logger }): Broker {
  const connection = pool as unknown as ConnectionOptions;
  const opened = new Set<PostgresConnection>();
  return {
    kind: 'postgres',
    openQueue: (name) => new Queue(name, { connection, ...openTelemetry() }, backend),
    openWorker(name, process, options) {
      const others = pool.listeners('error');
      const worker = new Worker(
        name,
        process,
        {
          connection,
          ...openTelemetry(),
          ...options,
          autorun: false,
          drainDelay: longestWaitSeconds,
          runRetryDelay: afterFailureMs,
        },
        backend,
      );
      // BullMQ leaves its listener at the pool for good.
      const own = pool.listeners('error').filter((it) => !others.includes(it)) as (() => void)[];
      worker.on('closed', () => own.forEach((it) => pool.off('error', it)));
      return worker;
    },
    discardWorker: (worker) => void worker.close(true).catch(() => undefined),
    isReachable: () => true,
    // It forgets nothing that Kiln's own tables beside it still know.
    isMarked: () => Promise.resolve(true),
    mark: () => Promise.resolve(),
    async publish(messages) {
      const payloads = messages.map(({ topic, id }) => `${topic} ${id}`);
      await pool.query('SELECT pg_notify($1, it) FROM unnest($2::text[]) it', [channel, payloads]);
    },
    subscribe(_topics, listen) {
      const listener = new PostgresConnection(pool as unknown as PgPool);
      opened.add(listener);
      let isOver = false;
      let again: NodeJS.Timeout | undefined;
      let heard: unknown;
      const start = async () => {
        const client = await listener.getListenClient();
        if (heard !== client)
          client.on('notification', ({ channel: from, payload = '' }) => {
            const [topic = '', id = ''] = payload.split(' ');
            if (from === channel) listen({ topic, id });
          });
        heard = client;
        await client.query(`LISTEN ${channel}`);
      };
      const keepTrying = () => {
        clearTimeout(again);
        start().catch((error: unknown) => {
          if (isOver) return;
          log.warn({ err: error instanceof Error ? error.message : String(error) }, 'cannot listen for signals');
          again = setTimeout(keepTrying, 500);
        });
      };
      listener.on('error', (error: Error) => log.warn({ err: error.message }, 'signals'));
      listener.on('listenerinvalidated', keepTrying);
      keepTrying();
      return () => {
        isOver = true;
        clearTimeout(again);
        opened.delete(listener);
        void listener.close();
      };
    },
    async close() {
      await Promise.all([...opened].map((it) => it.close()));
    },
  };
}
