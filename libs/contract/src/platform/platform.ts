import { z } from 'zod';
import { type Network, type Platform, type Pool, poolTypes, type ResourceClass } from '@kiln/domain';

const amount = z.string().regex(/^\d+(\.\d+)?(Ki|Mi|Gi|Ti)?$/, 'must be an amount, such as 8Gi');
const cores = z.string().regex(/^\d+(\.\d+)?$|^\d+m$/, 'must be a number of cores, such as 4 or 500m');

const resourceClass: z.ZodType<ResourceClass> = z.strictObject({
  CPU: cores,
  Memory: amount,
  Disk: amount.exactOptional(),
  Pids: z.int().min(16).exactOptional(),
  Seconds: z.int().min(0).exactOptional(),
});

/** What builders and requests call a pool; it is part of a queue's name. */
export const poolName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be a name of at most 64 letters, digits, . _ and -');

const pool: z.ZodType<Pool> = z
  .strictObject({
    /** Of requests that name one, the pool takes those that name this. */
    ResourceType: z.enum(poolTypes).exactOptional(),
    accounts: z.array(z.string()).exactOptional(),
  })
  .transform(({ ResourceType: type, ...rest }) => (type === undefined ? rest : { type, ...rest }));

const blocks = z
  .array(z.union([z.cidrv4(), z.cidrv6()]))
  .max(256)
  .default([]);
const route = z.int().min(0).max(9).default(0);
const network: z.ZodType<Network> = z.strictObject({
  allow: blocks,
  deny: blocks,
  only: blocks,
  extendable: blocks,
  connections: z.int().min(1).max(65_536).default(1024),
  routes: z.strictObject({ eth0: route, eth1: route }).prefault({}),
  groups: z.record(z.string(), z.strictObject({ allow: blocks, only: blocks })).default({}),
});

/** KILN_PLATFORM, as an operator writes it. */
export const platformSchema: z.ZodType<Platform> = z.strictObject({
  resources: z.record(z.string(), resourceClass).default({}),
  shippedClasses: z.boolean().default(true),
  strictClasses: z.boolean().default(false),
  most: z.strictObject({ CPU: cores.default('32'), Memory: amount.default('256Gi') }).prefault({}),
  pools: z.record(poolName.or(z.literal('*')), pool).default({}),
  networks: z.record(z.string(), network).default({}),
});

export const emptyPlatform: Platform = platformSchema.parse({});
