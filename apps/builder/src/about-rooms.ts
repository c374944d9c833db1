import type { EngineUsage } from '@kiln/engine';
import { metrics } from '@kiln/kit';
import type { WorkerAbout } from '@kiln/persistence';

/** Caches that a worker tells of, the largest ones: accounts may be many. */
const cachesMax = 20;

/** What the engine has running and keeps, for metrics and for what the builder says of itself. */
export function aboutRooms(usage: EngineUsage): Pick<WorkerAbout, 'rooms' | 'cacheBytes' | 'caches'> {
  const { rooms, busy, warmStarts, coldStarts, storesLost, caches } = usage;
  const cacheBytes = caches.reduce((sum, it) => sum + it.bytes, 0);
  metrics.rooms.set({ state: 'busy' }, busy);
  metrics.rooms.set({ state: 'warm' }, rooms - busy);
  // The engine counts from its start, as these do.
  metrics.roomStarts.reset();
  metrics.roomStarts.inc({ room: 'warm' }, warmStarts);
  metrics.roomStarts.inc({ room: 'cold' }, coldStarts);
  metrics.storesLost.reset();
  metrics.storesLost.inc(storesLost);
  metrics.cacheBytes.set(cacheBytes);
  return {
    rooms: { warm: rooms - busy, busy },
    cacheBytes,
    caches: caches
      .slice(0, cachesMax)
      .map(({ owner, bytes, usedAt }) => ({ account: owner, bytes, usedAt: usedAt.toISOString() })),
  };
}
