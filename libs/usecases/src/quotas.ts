import { countUse, type Database, type DefaultLimits, type Use } from '@kiln/persistence';
import { Fault } from '@kiln/domain';
import { openTtlCache } from './ttl-cache.ts';

/**
 * What an account may have, counted before something is accepted. What other processes accept within a second may
 * overrun it.
 */
export interface Quotas {
  /**
   * @returns takes it back, when the build was not accepted after all
   * @throws Fault TooManyWaiting, TooManyBuilds, TooManyImages that says how many there are and how many there may be
   */
  admitBuild(accountId: string): Promise<() => void>;
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
      `the account has ${images} images, those that are being built among them, and its limit is ${imagesMax}; delete some, or ask the operator for more`,
    );
}

function count(use: Use, n: 1 | -1): void {
  use.waiting += n;
  use.daily += n;
  use.images += n;
}

export function openQuotas(db: Database, defaults: DefaultLimits): Quotas {
  const remember = openTtlCache({ max: 10_000, ttl: countMs });
  const useOf = (accountId: string): Promise<Use> => remember(accountId, () => countUse(db, accountId, defaults));
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
      count(use, 1);
      return () => count(use, -1);
    },
    async admitImage(accountId) {
      const use = await useOf(accountId);
      requireImages(use);
      use.images += 1;
    },
  };
}
