import { type LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type AddressRules, type FindAddresses, guardedConnector } from './address-rules.ts';

export interface PostAnswer {
  status: number;
  /** As the header has it. */
  retryAfter: string | undefined;
}

/** Sends something to an address that somebody else has chosen. */
export interface GuardedPost {
  /**
   * @returns what it answers, but for the body: that could be from inside the network. Redirects are answers, too
   * @throws Fault AddressNotAllowed; Error when there is no answer within the time
   */
  post(url: string, headers: Record<string, string>, body: string, timeoutMs: number): Promise<PostAnswer>;
  close: () => Promise<void>;
}

const lookupMs = 1000;
/** How long the other family's answer is waited for, once there is one. */
const otherFamilyMs = 200;

/**
 * Asks name servers alone. The machine's own way has room for two questions at a time in all of a process, so that a name server that
 * somebody lets hang would hold up every other name.
 */
function askNameServers(servers: readonly string[]): FindAddresses {
  const resolver = new Resolver({ timeout: lookupMs, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return async (host) => {
    const found: LookupAddress[] = [];
    const of = async (family: 4 | 6, asked: Promise<string[]>) => {
      found.push(...(await asked).map((address) => ({ address, family })));
    };
    const both = [of(4, resolver.resolve4(host)), of(6, resolver.resolve6(host))];
    const all = Promise.allSettled(both);
    // Either, and a moment for the other one; or why there is neither.
    await Promise.any(both).catch((error: AggregateError) => {
      throw error.errors[0];
    });
    await Promise.race([all, sleep(otherFamilyMs)]);
    return found;
  };
}

/** @param servers name servers to ask, as `address` or `address:port`; those of the machine when there are none */
export function openGuardedPost(rules: AddressRules, servers: readonly string[] = []): GuardedPost {
  const agent = new Agent({
    connect: guardedConnector(rules, { timeout: 5000 }, askNameServers(servers)),
    keepAliveTimeout: 10_000,
  });
  return {
    async post(url, headers, body, timeoutMs) {
      const answer = await request(url, {
        method: 'POST',
        headers: { 'user-agent': 'kiln', ...headers },
        body,
        dispatcher: agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
      // Read, so that the connection can be used again, but not far.
      await answer.body.dump({ limit: 16_384 }).catch(() => undefined);
      const retryAfter = answer.headers['retry-after'];
      return { status: answer.statusCode, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
    },
    close: () => agent.destroy(),
  };
}
