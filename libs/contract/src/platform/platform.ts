import { z } from 'zod';
import { networkSchema } from './networks.ts';
import { poolName, poolSchema } from './pools.ts';
import { amount, cores } from './amounts.ts';
import { resourceClassSchema } from './resources.ts';

/** What an installation offers to builds: KILN_PLATFORM. */
export const platformSchema = z.strictObject({
  /** Classes by name (PAI's EcsSpec); `default` for requests without one, `*` for names that nobody knows. */
  resources: z.record(z.string(), resourceClassSchema).default({}),
  /** Whether the common `ecs.*` names are there without being listed. */
  shippedClasses: z.boolean().default(true),
  /** Whether other names of the cloud's form are refused; they mean the class `default` otherwise. */
  strictClasses: z.boolean().default(false),
  /** The most that any build gets, whatever it asks for. */
  most: z.strictObject({ CPU: cores.default('32'), Memory: amount.default('256Gi') }).prefault({}),
  /** Pools of builders by name (PAI's ResourceId). */
  pools: z.record(poolName.or(z.literal('*')), poolSchema).default({}),
  /** Networks by name (PAI's VpcId); `default` for requests without one. */
  networks: z.record(z.string(), networkSchema).default({}),
});
export type Platform = z.infer<typeof platformSchema>;

export const emptyPlatform: Platform = platformSchema.parse({});
