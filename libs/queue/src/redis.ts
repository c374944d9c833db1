import type { Logger, Secret } from '@kiln/kit';
import { Cluster, Redis } from 'ioredis';

interface HostAndPort {
  host: string;
  port: number;
}

/** Where Redis is. */
export interface RedisAddress {
  /** With the user and the password; its host is that of the server, unless sentinels know a better one. */
  url: Secret;
  /** Who is asked which server is the primary of this name now. */
  sentinels?: { addresses: HostAndPort[]; name: string; password?: Secret | undefined } | undefined;
  /** Some servers of a cluster, which know the others. */
  cluster?: HostAndPort[] | undefined;
}

/** All keys of a cluster begin so: BullMQ's scripts want those of a queue on one server, and the mark tells of all. */
export const prefixFor = ({ cluster }: RedisAddress, prefix: string): string => (cluster ? `{${prefix}}` : prefix);

/** How long the server may take to greet back. */
const greetingMs = 3000;

const retryStrategy = (times: number): number => Math.min(1000, 50 * times);

/** Of each connection, to one server or to one of a cluster. */
const optionsFor = (patience: 'command' | 'blocking') => ({
  keepAlive: 5000,
  connectTimeout: 5000,
  // A connection that swallows bytes without closing would otherwise hang its consumer for ever.
  // Longer than a consumer's longest wait, shorter than anybody wants to wait.
  socketTimeout: 4000,
  ...(patience === 'blocking' ? { maxRetriesPerRequest: null } : { maxRetriesPerRequest: 1, commandTimeout: 2000 }),
});

/**
 * Connects to Redis in the background: an app starts, and the API accepts, while Redis is away.
 * @param patience `command`: a call fails after 2 s; `blocking`: for consumers, whose calls wait for work
 */
export function openRedis(address: RedisAddress, patience: 'command' | 'blocking', log: Logger): Redis | Cluster {
  const redis = address.cluster ? openCluster(address.url, address.cluster, patience) : openServer(address, patience);
  redis.on('error', (error: Error) => log.warn({ err: error.message }, 'redis connection'));
  return redis;
}

function openCluster(url: Secret, servers: HostAndPort[], patience: 'command' | 'blocking'): Cluster {
  const { username, password, protocol } = new URL(url.reveal());
  return new Cluster(servers, {
    redisOptions: {
      ...optionsFor(patience),
      ...(username ? { username: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
      ...(protocol === 'rediss:' ? { tls: {} } : {}),
    },
    // Names of a certificate are those that the servers give, and not their addresses.
    ...(protocol === 'rediss:' ? { dnsLookup: (name, done) => done(null, name) } : {}),
    clusterRetryStrategy: retryStrategy,
    slotsRefreshTimeout: 2000,
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 200,
  });
}

function openServer({ url, sentinels }: RedisAddress, patience: 'command' | 'blocking'): Redis {
  const redis = new Redis(url.reveal(), {
    ...optionsFor(patience),
    ...(sentinels
      ? {
          sentinels: sentinels.addresses,
          name: sentinels.name,
          ...(sentinels.password ? { sentinelPassword: sentinels.password.reveal() } : {}),
          enableTLSForSentinelMode: url.reveal().startsWith('rediss:'),
          // A primary that was replaced while it could not be reached is left as soon as the sentinels say so.
          failoverDetector: true,
          sentinelRetryStrategy: retryStrategy,
        }
      : {}),
    retryStrategy,
  });
  // A greeting that times out as a command leaves the connection neither ready nor closed, for good.
  let greeting: NodeJS.Timeout | undefined;
  redis.on('connect', () => {
    clearTimeout(greeting);
    greeting = setTimeout(() => redis.stream.destroy(new Error('redis did not answer the greeting')), greetingMs);
  });
  for (const event of ['ready', 'close', 'end']) redis.on(event, () => clearTimeout(greeting));
  return redis;
}

/** Closes without waiting for a server that may be away. */
export const closeRedis = (redis: Redis | Cluster): void => redis.disconnect();
