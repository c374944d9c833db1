import { Fault } from '@kiln/schemas';
import { z } from 'zod';
import { apiHost, type RegistryAccess } from './connection.ts';

export type Challenge =
  { scheme: 'basic' } | { scheme: 'bearer'; realm: URL; service: string | undefined; scope: string | undefined };

const parameters = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/([a-zA-Z_]+)="([^"]*)"/g)].map((it) => [(it[1] ?? '').toLowerCase(), it[2] ?? '']),
  );

/**
 * Reads a WWW-Authenticate header.
 * @throws Fault RegistryDenied when the registry asks for a scheme that Kiln does not know
 */
export function parseChallenge(header: string | undefined, host: string): Challenge {
  const [scheme = '', ...rest] = (header ?? '').split(' ');
  if (scheme.toLowerCase() === 'basic') return { scheme: 'basic' };
  const { realm, service, scope } = parameters(rest.join(' '));
  if (scheme.toLowerCase() === 'bearer' && realm && URL.canParse(realm))
    return { scheme: 'bearer', realm: new URL(realm), service, scope };
  throw new Fault('RegistryDenied', `registry ${host} refuses access and names no way to authenticate that Kiln knows`);
}

const parentDomain = (host: string): string => host.split(':')[0]?.split('.').slice(-2).join('.') ?? host;
const isAddress = (host: string): boolean => /^[\d.]+$|^\[/.test(host);

/**
 * Whether a token may be asked for at a realm, with credentials or without: only over TLS (unless the registry itself is plain
 * http), and only to the registry's own host or one of the same domain. A hostile registry names any realm it likes,
 * an address of the internal network among them.
 */
export function mayAuthenticateAt(access: RegistryAccess, realm: URL): boolean {
  if (realm.protocol !== 'https:' && access.tlsMode !== 'http') return false;
  const [registry = ''] = apiHost(access.host).split(':');
  if (realm.hostname === registry) return true;
  return !isAddress(registry) && !isAddress(realm.hostname) && parentDomain(realm.hostname) === parentDomain(registry);
}

/** A token service's answer; `expires_in` is in seconds and 60 when absent. */
export const tokenAnswer = z
  .object({ token: z.string().optional(), access_token: z.string().optional(), expires_in: z.number().optional() })
  .transform((it) => ({ token: it.token ?? it.access_token ?? '', expiresInSeconds: it.expires_in ?? 60 }));
