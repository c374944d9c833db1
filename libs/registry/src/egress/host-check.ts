import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, fieldFault } from '@kiln/domain';
import { addressRefused, type AddressRules, placeOf } from './address-rules.ts';
import { apiHost } from '../client/connection.ts';
import { askNameServers, asTheMachine } from './name-servers.ts';

/**
 * Refuses the host of a reference that no registry can be asked at. What cannot be found out in a moment is let pass.
 * @param field name of the request's field, for the error
 * @throws Fault InvalidParameter when it does not resolve, AddressNotAllowed when the rules close it
 */
export type CheckRegistryHost = (host: string, field: string) => Promise<void>;

/** Clients give up after three seconds. */
const checkMs = 1500;
/** How long the machine's own look-up is waited for, after name servers have said that there is no such name. */
const machineMs = 700;
const waitingMax = 100;

const isUnknown = (error: unknown): boolean =>
  ['ENOTFOUND', 'ENODATA'].includes((error as { code?: string }).code ?? '');

export function openHostCheck(rules: AddressRules): CheckRegistryHost {
  const ask = askNameServers([]);
  let turn: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  // One at a time: the machine's own way has little room in a process, which names that hang must not fill.
  const askMachine = async (host: string): Promise<LookupAddress[] | undefined> => {
    if (waiting >= waitingMax) return undefined;
    waiting += 1;
    const mine = turn.then(() => asTheMachine(host)).finally(() => (waiting -= 1));
    turn = mine.catch(() => undefined);
    return mine.catch((error: unknown) => (isUnknown(error) ? [] : undefined));
  };
  /** undefined when nobody can say. */
  const find = async (host: string): Promise<LookupAddress[] | undefined> => {
    try {
      return await ask(host);
    } catch (error) {
      if (!isUnknown(error)) return undefined;
    }
    // Name servers do not know the hosts file and search domains. Where those do not tell in time, a whole name is as
    // the servers say.
    const found = await Promise.race([askMachine(host), sleep(machineMs)]);
    return found ?? (host.includes('.') ? [] : undefined);
  };
  return async (registry, field) => {
    const address = `https://${apiHost(registry)}`;
    if (!URL.canParse(address))
      throw fieldFault('InvalidParameter', field, `${registry} is not the host of a registry`);
    const { host, port } = placeOf(new URL(address));
    const ports = registry.endsWith(`:${port}`) ? [port] : [443, 80];
    if (ports.some((it) => rules.isListed(host, it))) return;
    const refuse = (fault: Fault) => {
      throw fieldFault(fault.code, field, fault.message);
    };
    if (isIP(host) !== 0) return rules.mayReach(host) ? undefined : refuse(addressRefused(rules, host));
    const found = await Promise.race([find(host), sleep(checkMs)]);
    if (found?.length === 0)
      refuse(new Fault('InvalidParameter', `the registry host ${host} does not resolve; check how it is spelt`));
    const closed = found?.find((it) => !rules.mayReach(it.address));
    if (closed) refuse(addressRefused(rules, host, closed.address));
  };
}
