import { type Logger, type Secret } from '@kiln/kit';
import { Redis } from 'ioredis';

/** Where Redis is. */
export interface RedisAddress {
  /** With the user and the password; its host is that of the server, unless sentinels know a better one. */
  url: Secret;
  /** Who is asked which server is the primary of this name now. */
  sentinels?: { addresses: { host: string; port: number }[]; name: string; password?: Secret | undefined } | undefined;
}

/** How long the server may take to greet back. */
const greetingMs = 3000;

/**
 * Connects to Redis in the background: an app starts, and the API accepts, while Redis is away.
 * @param patience `command`: a call fails after 2 s; `blocking`: for consumers, whose calls wait for work
 */
export function openRedis({ url, sentinels }: RedisAddress, patience: 'command' | 'blocking', log: Logger): Redis {
  const redis = new Redis(url.reveal(), {
    ...(sentinels
      ? {
          sentinels: sentinels.addresses,
          name: sentinels.name,
          ...(sentinels.password ? { sentinelPassword: sentinels.password.reveal() } : {}),
          enableTLSForSentinelMode: url.reveal().startsWith('rediss:'),
          // A primary that was replaced while it could not be reached is left as soon as the sentinels say so.
          failoverDetector: true,
          sentinelRetryStrategy: (times: number) => Math.min(1000, 50 * times),
        }
      : {}),
    keepAlive: 5000,
    connectTimeout: 5000,
    // A connection that swallows bytes without closing would otherwise hang its consumer for ever.
    // Longer than a consumer's longest wait, shorter than anybody wants to wait.
    socketTimeout: 4000,
    retryStrategy: (times) => Math.min(1000, 50 * times),
    ...(patience === 'blocking' ? { maxRetriesPerRequest: null } : { maxRetriesPerRequest: 1, commandTimeout: 2000 }),
  });
  // A greeting that times out as a command leaves the connection neither ready nor closed, for good.
  let greeting: NodeJS.Timeout | undefined;
  redis.on('connect', () => {
    clearTimeout(greeting);
    greeting = setTimeout(() => redis.stream.destroy(new Error('redis did not answer the greeting')), greetingMs);
  });
  for (const event of ['ready', 'close', 'end']) redis.on(event, () => clearTimeout(greeting));
  redis.on('error', (error: Error) => log.warn({ err: error.message }, 'redis connection'));
  return redis;
}

/** Closes without waiting for a server that may be away. */
export const closeRedis = (redis: Redis): void => redis.disconnect();
