import type { Network } from './networks.ts';
import type { Pool } from './pools.ts';
import type { ResourceClass } from './resources.ts';

/** What an installation offers to builds. */
export interface Platform {
  /** Classes by name; `default` for requests without one, `*` for names that nobody knows. */
  resources: Record<string, ResourceClass>;
  /** Whether the common `ecs.*` names are there without being listed. */
  shippedClasses: boolean;
  /** Whether other names of the cloud's form are refused; they mean the class `default` otherwise. */
  strictClasses: boolean;
  /** The most that any build gets, whatever it asks for. */
  most: { CPU: string; Memory: string };
  /** Pools of builders by name. */
  pools: Record<string, Pool>;
  /** Networks by name; `default` for requests without one. */
  networks: Record<string, Network>;
}
