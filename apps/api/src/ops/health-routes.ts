import { poolNames, type Platform } from '@kiln/domain';
import { countLiveBuilds, type Database, listQueueBuilders, readOutbox } from '@kiln/persistence';
import type { Producer } from '@kiln/queue';
import { Router } from 'express';

/**
 * For load balancers and operators. `/readyz` answers 503 without PostgreSQL; without Redis the API goes on accepting.
 */
export function healthRoutes({
  systemDb: db,
  producer,
  platform,
}: {
  systemDb: Database;
  producer: Producer;
  platform: Platform;
}): Router {
  const router = Router();
  const pools = poolNames(platform.pools);
  router.get('/healthz', (_req, res) => void res.json({ status: 'ok' }));
  router.get('/readyz', async (_req, res) => {
    const outbox = await readOutbox(db).catch(() => undefined);
    if (outbox === undefined) return void res.status(503).json({ status: 'unavailable', postgres: 'down' });
    const [builds, builders] = await Promise.all([countLiveBuilds(db), listQueueBuilders(db)]);
    const queues = await producer.counts(pools, builders).catch(() => undefined);
    const redis = producer.kind === 'redis' ? { redis: queues ? 'up' : 'down' } : {};
    res.json({ status: 'ok', postgres: 'up', ...redis, outbox: outbox.waiting, builds, queues });
  });
  return router;
}
