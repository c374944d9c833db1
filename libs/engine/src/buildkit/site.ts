import type { GroupUsage } from '../jail/cgroups.ts';
import type { RefusedDestination } from '../jail/network.ts';
import type { Connection } from './connection.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { SolveOptions } from './solve.ts';

/** Where one build runs: a daemon, and what was made for the build there. */
export interface Site {
  connection: Connection;
  /** Aborted once the daemon has ended, or does not answer any more. */
  ended: AbortSignal;
  /** What the daemon is told for the build. */
  solve: SolveOptions;
  watchDisk(limitBytes: number, onOver: () => void): Promise<DiskWatch>;
  /** Ends what is left of the build's steps; resolves when nothing of them runs. */
  endSteps(): Promise<void>;
  /** How near the steps came to their limits. */
  usage(): Promise<GroupUsage>;
  /** What the firewall refused while they ran. */
  listRefused(): Promise<RefusedDestination[]>;
  /** Whether builds have a disk of their own: where not, one that is full is none of their fault. */
  hasOwnDisk: boolean;
  /** Whether the builder's own disk is full. */
  isHostFull(): Promise<boolean>;
  /** The daemon's store is not to be trusted any more. */
  condemn(): void;
  leave(): Promise<void>;
}
