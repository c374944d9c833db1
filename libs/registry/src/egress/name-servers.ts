import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Finds the addresses of a name. */
export type FindAddresses = (host: string) => Promise<LookupAddress[]>;

/** As the machine does it, with its hosts file. */
export const asTheMachine: FindAddresses = (host) => lookup(host, { all: true });

const lookupMs = 1000;
/** How long the other family's answer is waited for, once there is one. */
const otherFamilyMs = 200;

/**
 * Asks name servers alone. The machine's own way has room for two questions at a time in all of a process, so that a
 * name server that somebody lets hang would hold up every other name.
 */
export function askNameServers(servers: readonly string[]): FindAddresses {
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
