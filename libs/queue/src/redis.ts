import { type Logger, type Secret } from '@kiln/kit';
import { Redis } from 'ioredis';

/**
 * Connects to Redis in the background: an app starts, and the API accepts, while Redis is away.
 * @param patience `command`: a call fails after 2 s; `blocking`: for consumers, whose calls wait for work
 */
export function openRedis(url: Secret, patience: 'command' | 'blocking', log: Logger): Redis {
  const redis = new Redis(url.reveal(), {
    keepAlive: 5000,
    connectTimeout: 5000,
    // A connection that swallows bytes without closing would otherwise hang its consumer for ever.
    // Longer than a consumer's longest wait, shorter than anybody wants to wait.
    socketTimeout: 4000,
    retryStrategy: (times) => Math.min(1000, 50 * times),
    ...(patience === 'blocking' ? { maxRetriesPerRequest: null } : { maxRetriesPerRequest: 1, commandTimeout: 2000 }),
  });
  redis.on('error', (error: Error) => log.warn({ err: error.message }, 'redis connection'));
  return redis;
}

/** Closes without waiting for a server that may be away. */
export const closeRedis = (redis: Redis): void => redis.disconnect();
