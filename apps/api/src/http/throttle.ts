import { Fault } from '@kiln/schemas';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Lets a caller make so many requests a second. */
export interface Throttle {
  /** @throws Fault Throttling that tells when to come again */
  pass(caller: string): Promise<void>;
}

/** @param perSecond requests of one caller in one second that this process answers; 0 for as many as come */
export function openThrottle(perSecond: number): Throttle {
  if (perSecond === 0) return { pass: () => Promise.resolve() };
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  return {
    async pass(caller) {
      try {
        await limiter.consume(caller);
      } catch (refused) {
        if (!(refused instanceof RateLimiterRes)) throw refused;
        const retryAfterMs = Math.max(1, refused.msBeforeNext);
        throw new Fault('Throttling', `more than ${perSecond} requests a second; try again in ${retryAfterMs} ms`, {
          retryAfterMs,
        });
      }
    },
  };
}
