import { Fault } from '@kiln/domain';
import { z } from 'zod';
import { apiHost, type RegistryAccess } from './connection.ts';

export type Challenge =
  { scheme: 'basic' } | { scheme: 'bearer'; realm: URL; service: string | undefined; scope: string | undefined };

interface Offer {
  scheme: string;
  parameters: Record<string, string>;
}

// A word; behind `=`, a value in quotes or without.
const item = /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;
// Without quotes, the commas of a scope look like those between parameters.
const actions = new Set(['pull', 'push', 'delete', '*']);

/** Every challenge of a WWW-Authenticate header, in order, as its server writes it. */
function readOffers(header: string): Offer[] {
  const offers: Offer[] = [];
  for (const [, word = '', quoted, plain] of header.matchAll(item)) {
    const parameters = offers.at(-1)?.parameters;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value !== undefined && parameters) parameters[word.toLowerCase()] = value;
    else if (parameters?.['scope'] !== undefined && actions.has(word)) parameters['scope'] += `,${word}`;
    else offers.push({ scheme: word.toLowerCase(), parameters: {} });
  }
  return offers;
}

function challengeOf({ scheme, parameters: { realm, service, scope } }: Offer): Challenge[] {
  if (scheme === 'basic') return [{ scheme: 'basic' }];
  if (scheme !== 'bearer' || !realm || !URL.canParse(realm)) return [];
  return [{ scheme: 'bearer', realm: new URL(realm), service, scope }];
}

/**
 * Reads WWW-Authenticate: the first of its challenges that Kiln knows. Basic is passed over where there are no
 * credentials and something else is offered.
 * @param header one header, or several
 * @throws Fault RegistryDenied when the registry asks for nothing that Kiln knows
 */
export function parseChallenge(
  header: string | string[] | undefined,
  { host, credentials }: Pick<RegistryAccess, 'host' | 'credentials'>,
): Challenge {
  const known = [header ?? []].flat().flatMap(readOffers).flatMap(challengeOf);
  const chosen = known.find((it) => it.scheme !== 'basic' || credentials !== undefined) ?? known[0];
  if (chosen) return chosen;
  throw new Fault('RegistryDenied', `registry ${host} refuses access and names no way to authenticate that Kiln knows`);
}

const parentDomain = (host: string): string => host.split(':')[0]?.split('.').slice(-2).join('.') ?? host;
const isAddress = (host: string): boolean => /^[\d.]+$|^\[/.test(host);

/**
 * Whether a token may be asked for at a realm, with credentials or without: only over TLS (unless the registry itself
 * is plain http), and only to the registry's own host or one of the same domain. A hostile registry names any realm it
 * likes, an address of the internal network among them.
 */
export function mayAuthenticateAt(access: RegistryAccess, realm: URL): boolean {
  if (realm.protocol !== 'https:' && access.tlsMode !== 'http') return false;
  const [registry = ''] = apiHost(access.host).split(':');
  if (realm.hostname === registry) return true;
  return !isAddress(registry) && !isAddress(realm.hostname) && parentDomain(realm.hostname) === parentDomain(registry);
}

const defaultLifetimeSeconds = 60;
const word = z.string().nullish().catch(undefined);
// Some write figures in quotes. What cannot be read as a time is as good as none.
const seconds = z
  .union([z.number(), z.string().trim().min(1).pipe(z.coerce.number())])
  .pipe(z.number().positive())
  .catch(defaultLifetimeSeconds);
const tokenAnswer = z.object({ token: word, access_token: word, expires_in: seconds });

/**
 * Reads a token service's answer.
 * @returns undefined when there is no token in it
 */
export function parseToken(body: Buffer): { token: string; expiresInSeconds: number } | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  const { data } = tokenAnswer.safeParse(json);
  const token = data?.token || data?.access_token;
  return data && token ? { token, expiresInSeconds: data.expires_in } : undefined;
}
