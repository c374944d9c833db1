import { Agent, request } from 'undici';
import { type AddressRules, guardedConnector } from './address-rules.ts';
import { askNameServers } from './name-servers.ts';

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
      // One that breaks while it is let go of is none of this process's business.
      answer.body.on('error', () => undefined);
      // Read, so that the connection can be used again, but not far.
      await answer.body.dump({ limit: 16_384 }).catch(() => undefined);
      const retryAfter = answer.headers['retry-after'];
      return { status: answer.statusCode, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
    },
    close: () => agent.destroy(),
  };
}
