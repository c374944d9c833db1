import {
  type Build,
  countOwnAhead,
  countWaiting,
  type Database,
  type DefaultLimits,
  lookAtWaitingRoom,
  type Picture,
  type PlaceInLine,
  placeInLine,
} from '@kiln/persistence';
import { Fault } from '@kiln/schemas';
import { LRUCache } from 'lru-cache';

/** What people are told of a build that waits. */
export interface ShownPlace extends PlaceInLine {
  message: string;
}

/** The waiting room as the API sees it: remembered for a moment, since clients ask again and again. */
export interface WaitingRoom {
  /** Where a build stands; undefined for one that does not wait. */
  placeOf(build: Build): Promise<ShownPlace | undefined>;
  /**
   * Counts a build in before it is accepted.
   * @throws Fault TooManyWaiting when the account's limit is reached; what other processes accept within a second may
   * overrun it by as much
   */
  requireRoom(accountId: string): Promise<void>;
}

const pictureMs = 500;
const countMs = 1000;
// What is said when a queue is full: builds end one by one.
const retryAfterMs = 5000;

export function openWaitingRoom(db: Database, defaults: DefaultLimits): WaitingRoom {
  const pictures = new LRUCache<string, Promise<Picture>>({ max: 1000, ttl: pictureMs });
  const counts = new LRUCache<string, { waiting: number; waitingMax: number }>({ max: 10_000, ttl: countMs });
  const picture = (pool: string): Promise<Picture> => {
    const known = pictures.get(pool);
    if (known) return known;
    const looking = lookAtWaitingRoom(db, pool, defaults);
    pictures.set(pool, looking);
    looking.catch(() => pictures.delete(pool));
    return looking;
  };
  return {
    async placeOf(build) {
      if (build.state !== 'queued') return undefined;
      const [now, ownAhead] = await Promise.all([picture(build.pool), build.admittedAt ? 0 : countOwnAhead(db, build)]);
      const place = placeInLine(now, build, ownAhead, new Date());
      return { ...place, message: describe(place, now, build.pool) };
    },
    async requireRoom(accountId) {
      let count = counts.get(accountId);
      if (!count) {
        count = await countWaiting(db, accountId, defaults);
        counts.set(accountId, count);
      }
      if (count.waitingMax > 0 && count.waiting >= count.waitingMax)
        throw new Fault(
          'TooManyWaiting',
          `${count.waiting} builds of the account wait, and its limit is ${count.waitingMax}; try again when some have started`,
          { retryAfterMs },
        );
      count.waiting += 1;
    },
  };
}

function describe({ reason, ahead, start }: PlaceInLine, { slots }: Picture, pool: string): string {
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
    case 'BackOff':
      return `its last attempt was interrupted, and it waits before the next; ${before}${when}`;
    case 'AccountLimit':
      return `the account runs as many builds as it may; ${before}${when}`;
    case 'SlotsBusy':
      return `all ${slots} slots are busy; ${before}${when}`;
  }
}
