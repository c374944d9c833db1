import { isIPv6 } from 'node:net';
import { type ErrorCode, Fault } from '@kiln/domain';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** What one process answers; 0 for as many as come. */
export interface ThrottleLimits {
  /** Requests in one second, of one user, of all users of an account, and from one address. */
  userPerSecond: number;
  accountPerSecond: number;
  addressPerSecond: number;
  /** Failed tries to say who one is in one minute, from one address; with one key from one address, a sixth of them. */
  failuresPerMinute: number;
}

/** Lets a caller make so many requests, and a stranger so many mistakes. */
export interface Throttle {
  /** Before it is known who asks. @throws Fault Throttling that tells when to come again */
  admit(address: string, keyId: string | undefined): Promise<void>;
  /** Once it is known. @throws Fault Throttling */
  pass(caller: { userId: string; accountId: string }): Promise<void>;
  /** Counts a try that failed. */
  failed(address: string, keyId: string | undefined, code: ErrorCode): Promise<void>;
}

/** What somebody who guesses at secrets is told. */
const guesses: ReadonlySet<ErrorCode> = new Set([
  'InvalidAccessKey',
  'SignatureDoesNotMatch',
  'InvalidCredentials',
  'InvalidSecurityToken',
  'InvalidToken',
]);

type Limiter = RateLimiterMemory | undefined;
const perSecond = (points: number): Limiter =>
  points === 0 ? undefined : new RateLimiterMemory({ points, duration: 1 });
const perMinute = (points: number): Limiter =>
  points === 0 ? undefined : new RateLimiterMemory({ points, duration: 60 });

/** Who has one address of IPv6 has as many of its block as they like. */
const blockOf = (address: string): string =>
  isIPv6(address) && !address.startsWith('::ffff:')
    ? new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')[0]?.split(':').slice(0, 4).join(':') || address
    : address;

const tooMany = (what: string, msBeforeNext: number): Fault => {
  const retryAfterMs = Math.max(1, msBeforeNext);
  return new Fault('Throttling', `${what}; try again in ${retryAfterMs} ms`, { retryAfterMs });
};

async function consume(limiter: Limiter, key: string, what: string): Promise<void> {
  if (!limiter) return;
  try {
    await limiter.consume(key);
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    throw tooMany(what, refused.msBeforeNext);
  }
}

/** Counts a mistake; the last one that may be closes the door for a minute. */
async function count(limiter: Limiter, key: string): Promise<void> {
  const { remainingPoints } = (await limiter?.consume(key).catch(() => undefined)) ?? {};
  if (remainingPoints === 0) await limiter?.block(key, 60);
}

export function openThrottle(limits: ThrottleLimits): Throttle {
  const users = perSecond(limits.userPerSecond);
  const accounts = perSecond(limits.accountPerSecond);
  const addresses = perSecond(limits.addressPerSecond);
  const strangers = perMinute(limits.failuresPerMinute);
  // A key is locked for the address that guesses at it only: nobody can lock its owner out.
  const keys = perMinute(Math.ceil(limits.failuresPerMinute / 6));
  const requireUnlocked = async (limiter: Limiter, key: string): Promise<void> => {
    const found = await limiter?.get(key);
    if (found && found.remainingPoints <= 0 && found.msBeforeNext > 0)
      throw tooMany('too many failed tries to sign in', found.msBeforeNext);
  };
  return {
    async admit(from, keyId) {
      const address = blockOf(from);
      await consume(addresses, address, `more than ${limits.addressPerSecond} requests a second from ${address}`);
      await requireUnlocked(strangers, address);
      if (keyId !== undefined) await requireUnlocked(keys, `${keyId} ${address}`);
    },
    async pass({ userId, accountId }) {
      await consume(users, userId, `more than ${limits.userPerSecond} requests a second`);
      await consume(accounts, accountId, `more than ${limits.accountPerSecond} requests a second of the account`);
    },
    async failed(from, keyId, code) {
      if (!guesses.has(code)) return;
      const address = blockOf(from);
      await count(strangers, address);
      if (keyId !== undefined) await count(keys, `${keyId} ${address}`);
    },
  };
}
