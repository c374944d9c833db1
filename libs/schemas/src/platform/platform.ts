import { z } from 'zod';
import { networkSchema } from './networks.ts';
import { resourceClassSchema } from './resources.ts';

/** What an installation offers to builds: the file that KILN_PLATFORM_FILE names. */
export const platformSchema = z.strictObject({
  /** Classes by name (PAI's EcsSpec); `default` for requests without one, `*` for names that nobody knows. */
  resources: z.record(z.string(), resourceClassSchema).default({}),
  /** Networks by name (PAI's VpcId); `default` for requests without one. */
  networks: z.record(z.string(), networkSchema).default({}),
});
export type Platform = z.infer<typeof platformSchema>;

export const emptyPlatform: Platform = platformSchema.parse({});
