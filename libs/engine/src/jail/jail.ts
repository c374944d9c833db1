import { type Limits, type NetworkRules } from '@kiln/domain';
import { type Secret } from '@kiln/kit';
import { type ProcessWatch } from '../process-watch.ts';

/** One command of the engine, in a jail. */
export interface JailRequest {
  /** Unique among the builds of this host; letters, digits and hyphens. */
  id: string;
  /** Folder of this run: `request` below it is shown inside; the caller removes it afterwards. */
  dir: string;
  /** What the engine is told, without its own name. */
  command: readonly string[];
  /** What is shown as the store; made when it is not there. */
  volume: string;
  /** Room that a volume which is made now has beside the run's own disk, for what later runs find there; one that has less than the
   * run's disk left is made anew. Without it, a volume stays as it is. */
  spareBytes?: number;
  /** Volumes of base images, shown read-only in this order. */
  bases: readonly string[];
  limits: Limits;
  network: NetworkRules | 'none';
  /** Socket of the gateway to registries. */
  gateway?: string;
  /** Name of a folder in the store for what the engine knows of layers. */
  data?: string;
  secrets?: readonly { id: string; value: Secret }[];
  /**
   * Called with each line of output, both streams as one, and whether it is cut and goes on; the command waits for it.
   */
  onLine(line: string, partial: boolean): Promise<void>;
  signal: AbortSignal;
  watch?: ProcessWatch | undefined;
}

/** How a run went. */
export interface JailReport {
  exitCode: number;
  timedOut: boolean;
  memoryPeakBytes: number;
  /** Processes that were killed since memory had run out. */
  oomKills: number;
  /** Processes that could not be started. */
  forksRefused: number;
  /** The least that was ever left on the volume; undefined where that is not known. */
  diskLeastBytes: number | undefined;
  inodesLeast: number | undefined;
  /** Destinations that the rules turned away. */
  refused: { address: string; protocol: string; port: number }[];
}

/** What a jail can hold a build to. */
export const abilities = [
  'own users', 'own processes', 'own files', 'own network', 'memory', 'cpu', 'pids', 'disk', 'time', 'system calls',
] as const; // prettier-ignore
export type Ability = (typeof abilities)[number];

/** Where things are, as the engine inside sees them. */
export interface InsidePaths {
  request: string;
  store: string;
  runroot: string;
  base(n: number): string;
}

/** A way of running the engine apart from everything else. */
export interface Jail {
  readonly name: string;
  readonly inside: InsidePaths;
  /**
   * Tries it, by asking the engine inside for its version.
   * @returns what it said, and what the jail enforces here
   * @throws Fault EngineFailed that says why it cannot work on this machine
   */
  check(): Promise<{ version: string; enforces: Ability[] }>;
  /**
   * Runs a command. However it ends, none of its processes is left.
   * @throws the signal's reason when it was aborted; Fault EngineFailed when there is no report
   */
  run(request: JailRequest): Promise<JailReport>;
  /** Whether a volume is there. */
  hasVolume(volume: string): Promise<boolean>;
  removeVolume(volume: string): Promise<void>;
  moveVolume(from: string, to: string): Promise<void>;
  /** Bytes of the disk that it takes. */
  volumeBytes(volume: string): Promise<number>;
  /** Removes what runs of this store left that ended without their parent; only when none is under way. */
  clean(): Promise<void>;
}

/** Registries, as the engine in a jail sees them. */
export const gatewayHost = '127.0.0.1:5000';
