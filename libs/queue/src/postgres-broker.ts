import { type Logger } from '@kiln/kit';
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
import { type Broker } from './broker.ts';
import { openTelemetry } from './telemetry.ts';

/** The one channel of all signals: a listener of PostgreSQL's is told of every one anyway. */
const channel = 'kiln_signals';

// BullMQ's types tell its backends apart, which is nothing to those who use a queue.
const backend = createPostgresBackend as unknown as BackendFactory<RedisQueueBackend>;

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
    openWorker: (name, process, options) =>
      new Worker(
        name,
        process,
        {
          connection,
          ...openTelemetry(),
          ...options,
          autorun: false,
          // Seconds until it looks for work without having been told of any: a connection that has died without a word
          // tells nothing.
          drainDelay: 5,
          runRetryDelay: 500,
        },
        backend,
      ),
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
      const start = async () => {
        const client = await listener.getListenClient();
        client.on('notification', ({ channel: from, payload = '' }) => {
          const [topic = '', id = ''] = payload.split(' ');
          if (from === channel) listen({ topic, id });
        });
        await client.query(`LISTEN ${channel}`);
      };
      const keepTrying = () => {
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
