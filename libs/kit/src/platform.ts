import type { Platform } from '@kiln/domain';
import { emptyPlatform, platformSchema } from '@kiln/contract';
import { z } from 'zod';

/**
 * What the installation offers to builds, as JSON, most often by KILN_PLATFORM_FILE; without it, there is what is
 * shipped.
 */
export const platformSettings = { KILN_PLATFORM: z.string().optional() };

/**
 * Reads what the installation offers.
 * @throws Error that names every field that is wrong
 */
export function readPlatform(text: string | undefined): Platform {
  if (text === undefined) return emptyPlatform;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`KILN_PLATFORM is not JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const parsed = platformSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((it) => `  ${it.path.join('.')}: ${it.message}`);
  throw new Error(`KILN_PLATFORM is wrong:\n${lines.join('\n')}`);
}
