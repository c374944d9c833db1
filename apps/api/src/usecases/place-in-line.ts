import {
  type Build,
  countOwnAhead,
  type Database,
  type DefaultLimits,
  readQueueSnapshot,
  type QueueSnapshot,
  type PlaceInLine,
  placeInLine,
} from '@kiln/persistence';
import { openTtlCache } from '@kiln/usecases';

/** What people are told of a build that waits. */
export interface ShownPlace extends PlaceInLine {
  message: string;
}

/** The pending queue as the API sees it: remembered for a moment, since clients ask again and again. */
export interface PendingQueue {
  /** Where a build stands; undefined for one that does not wait. */
  placeOf(build: Build): Promise<ShownPlace | undefined>;
}

const pictureMs = 500;

/**
 * @param systemDb sees all accounts: for the snapshot of the whole
 * @param db sees the caller's
 */
export function openPendingQueue(
  systemDb: Database,
  db: Database,
  defaults: Pick<DefaultLimits, 'runningMax'>,
): PendingQueue {
  const remember = openTtlCache({ max: 1000, ttl: pictureMs });
  const snapshot = (pool: string): Promise<QueueSnapshot> =>
    remember(pool, () => readQueueSnapshot(systemDb, pool, defaults));
  return {
    async placeOf(build) {
      if (build.state !== 'queued') return undefined;
      const [now, ownAhead] = await Promise.all([
        snapshot(build.pool),
        build.admittedAt ? 0 : countOwnAhead(db, build),
      ]);
      const place = placeInLine(now, build, ownAhead, new Date());
      return { ...place, message: describe(place, now, build.pool) };
    },
  };
}

function describe({ reason, ahead, start }: PlaceInLine, { slots }: QueueSnapshot, pool: string): string {
  const before =
    ahead === 0 ? 'none goes before it' : ahead === 1 ? '1 build goes before it' : `${ahead} builds go before it`;
  const when = start
    ? `; likely to start between ${start.earliest.toISOString()} and ${start.latest.toISOString()}`
    : '';
  switch (reason) {
    case 'NoBuilder':
      return `no builder${pool && ` of pool ${pool}`} is connected; it starts when one is`;
    case 'Starting':
      return 'a slot is free; it is about to start';
    case 'HeldForCache':
      return 'the builder that has its layers is busy; it waits for that one for a few seconds, and starts on another one then';
    case 'BackOff':
      return `its last attempt was interrupted, and it waits before the next; ${before}${when}`;
    case 'AccountLimit':
      return `the account runs as many builds as it may; ${before}${when}`;
    case 'SlotsBusy':
      return `all ${slots} slots are busy; ${before}${when}`;
  }
}
