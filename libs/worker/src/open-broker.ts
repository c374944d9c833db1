import { setTimeout as sleep } from 'node:timers/promises';
import type { Lifecycle, Logger, Secret } from '@kiln/kit';
import { openDatabase, queueSchema } from '@kiln/persistence';
import { type Broker, openPostgresBroker, openRedisBroker, type RedisAddress } from '@kiln/queue';

export interface QueueSettings {
  KILN_QUEUE: Broker['kind'];
  KILN_DATABASE_URL: Secret;
  KILN_REDIS_URL?: Secret | undefined;
  KILN_REDIS_SENTINELS?: string[];
  KILN_REDIS_SENTINEL_NAME?: string;
  KILN_REDIS_SENTINEL_PASSWORD?: Secret | undefined;
  KILN_REDIS_CLUSTER?: string[];
  KILN_REDIS_PREFIX: string;
}

/** Who knows where Redis is, if the settings name anybody. */
function sentinelsOf(settings: QueueSettings): RedisAddress['sentinels'] {
  const { KILN_REDIS_SENTINELS: named = [], KILN_REDIS_SENTINEL_NAME: name = '' } = settings;
  if (named.length === 0) return undefined;
  return { addresses: named.map(hostAndPort), name, password: settings.KILN_REDIS_SENTINEL_PASSWORD };
}

const hostAndPort = (it: string): { host: string; port: number } => ({
  host: it.slice(0, it.lastIndexOf(':')),
  port: Number(it.slice(it.lastIndexOf(':') + 1)),
});

/** @throws Error when the settings contradict each other */
function clusterOf({ KILN_REDIS_CLUSTER: named = [], KILN_REDIS_SENTINELS = [] }: QueueSettings) {
  if (named.length === 0) return undefined;
  if (KILN_REDIS_SENTINELS.length > 0)
    throw new Error(
      'settings are missing or wrong:\n  KILN_REDIS_CLUSTER: a cluster has no sentinels; leave KILN_REDIS_SENTINELS out',
    );
  return named.map(hostAndPort);
}

const closeMs = 2000;

/** Connections of one app to its queues in PostgreSQL: each consumer and the signals keep one. */
const queueConnections = 16;

/** @throws Error when the settings do not say where Redis is */
export function openBroker(settings: QueueSettings, life: Lifecycle, log: Logger): Broker {
  const { KILN_QUEUE: kind, KILN_REDIS_URL: url, KILN_REDIS_PREFIX: prefix } = settings;
  if (kind === 'postgres') {
    const { db, close } = openDatabase(settings.KILN_DATABASE_URL, {
      connections: queueConnections,
      schema: queueSchema,
      // A job that a crash of the server loses is announced again.
      durable: false,
      name: 'queue',
      onError: (error) => log.warn({ err: error.message }, 'queue connection'),
    });
    // Each queue listens for its errors.
    db.$client.setMaxListeners(0);
    // A connection that is being made while its worker closes is given back by nobody, and waited for in vain.
    life.defer('queue connections', () => Promise.race([close(), sleep(closeMs, undefined, { ref: false })]));
    return openPostgresBroker({ pool: db.$client, log });
  }
  if (!url)
    throw new Error(
      'settings are missing or wrong:\n  KILN_REDIS_URL: is needed; or set KILN_QUEUE=postgres to do without Redis',
    );
  return openRedisBroker({
    address: { url, sentinels: sentinelsOf(settings), cluster: clusterOf(settings) },
    prefix,
    log,
  });
}
