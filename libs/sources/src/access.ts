import type { Secret } from '@kiln/kit';
import type { RegistryAccess } from '@kiln/registry';

/** How to reach one host that contexts are fetched from: as a registry, or by ssh. */
export interface SourceAccess extends Omit<RegistryAccess, 'connected'> {
  /** What ssh logs in with, in OpenSSH's or PEM form. */
  privateKey?: Secret | undefined;
  /** The host's own keys, as `ssh-keyscan` prints them. */
  knownHosts?: string | undefined;
}

/** How to reach each host. */
export type SourceAccesses = (host: string) => SourceAccess;

/** In nobody's name. */
export const publicAccess = (host: string): SourceAccess => ({ host, tlsMode: 'verify' });
