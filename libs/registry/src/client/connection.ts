import type { TlsMode } from '@kiln/domain';
import type { Secret } from '@kiln/kit';

/** How to reach one registry. */
export interface RegistryAccess {
  /** Host with port, as references name it. */
  host: string;
  /** `verify` checks certificates against the system's and `caPem`; `skip-verify` does not; `http` has none. */
  tlsMode: TlsMode;
  caPem?: string | undefined;
  /** An operator connected it; any other is one that somebody named. */
  connected?: true;
  credentials?: { username: string; password: Secret } | undefined;
}

/** Docker Hub's references name a host that is not its registry. */
export const apiHost = (host: string): string =>
  host === 'docker.io' || host === 'index.docker.io' ? 'registry-1.docker.io' : host;

export const baseUrl = (access: RegistryAccess): string =>
  `${access.tlsMode === 'http' ? 'http' : 'https'}://${apiHost(access.host)}`;
