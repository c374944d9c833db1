import type { Sealer } from '@kiln/auth';
import type { Logger } from '@kiln/kit';
import type { Database } from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import type { RegistryClients } from '@kiln/registry';
import type { Leases, Relay } from '@kiln/worker';

export interface RegisterDeps {
  db: Database;
  /** For `whileLocked`: sessions of its own. */
  locks: Database;
  relay: Relay;
  signals: SignalBus;
  registries: RegistryClients;
  sealer: Sealer;
  log: Logger;
  worker: string;
  leases: Leases;
  /** For how long an image is tried to be registered whose registry does not answer. */
  registrationSeconds: number;
}
