import { type Secret } from '@kiln/kit';

/** How to reach one host that contexts are fetched from. */
export interface SourceAccess {
  /** With its port, as addresses name it. */
  host: string;
  /** `verify` checks certificates against the system's and `caPem`; `skip-verify` does not; `http` has none. */
  tlsMode: 'verify' | 'skip-verify' | 'http';
  caPem?: string | undefined;
  credentials?: { username: string; password: Secret } | undefined;
  /** What ssh logs in with, in OpenSSH's or PEM form. */
  privateKey?: Secret | undefined;
  /** The host's own keys, as `ssh-keyscan` prints them. */
  knownHosts?: string | undefined;
}

/** How to reach each host. */
export type SourceAccesses = (host: string) => SourceAccess;

/** In nobody's name. */
export const publicAccess = (host: string): SourceAccess => ({ host, tlsMode: 'verify' });
