import { countUse, type Database, type DefaultLimits, type Use } from '@kiln/persistence';
import { Fault } from '@kiln/schemas';
import { LRUCache } from 'lru-cache';

/** What an account may have, counted before something is accepted. What other processes accept within a second may overrun it. */
export interface Quotas {
  /** @throws Fault TooManyWaiting, TooManyBuilds, TooManyImages that says how many there are and how many there may be */
  admitBuild(accountId: string): Promise<void>;
  /** @throws Fault TooManyImages */
  admitImage(accountId: string): Promise<void>;
}

const countMs = 1000;
// What is said when a queue is full: builds end one by one.
const retryAfterMs = 5000;

const isFull = (has: number, max: number): boolean => max > 0 && has >= max;

function requireImages({ images, imagesMax }: Use): void {
  if (isFull(images, imagesMax))
    throw new Fault(
      'TooManyImages',
      `the account has ${images} images in the catalogue, and its limit is ${imagesMax}; delete some, or ask the operator for more`,
    );
}

export function openQuotas(db: Database, defaults: DefaultLimits): Quotas {
  const counts = new LRUCache<string, Use>({ max: 10_000, ttl: countMs });
  const useOf = async (accountId: string): Promise<Use> => {
    const known = counts.get(accountId);
    if (known) return known;
    const use = await countUse(db, accountId, defaults);
    counts.set(accountId, use);
    return use;
  };
  return {
    async admitBuild(accountId) {
      const use = await useOf(accountId);
      if (isFull(use.waiting, use.waitingMax))
        throw new Fault(
          'TooManyWaiting',
          `${use.waiting} builds of the account wait, and its limit is ${use.waitingMax}; try again when some have started`,
          { retryAfterMs },
        );
      if (isFull(use.daily, use.dailyMax))
        throw new Fault(
          'TooManyBuilds',
          `${use.daily} builds of the account were accepted within 24 hours, and its limit is ${use.dailyMax}; try again later`,
        );
      requireImages(use);
      use.waiting += 1;
      use.daily += 1;
    },
    async admitImage(accountId) {
      const use = await useOf(accountId);
      requireImages(use);
      use.images += 1;
    },
  };
}
