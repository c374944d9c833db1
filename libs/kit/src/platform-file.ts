import { readFileSync } from 'node:fs';
import { emptyPlatform, type Platform, platformSchema } from '@kiln/schemas';
import { z } from 'zod';

/** Where the api and the builders find what the installation offers to builds; without it, there is what is shipped. */
export const platformSettings = { KILN_PLATFORM_FILE: z.string().optional() };

/**
 * Reads the platform file.
 * @throws Error that names the file and every field that is wrong
 */
export function readPlatform(file: string | undefined): Platform {
  if (file === undefined) return emptyPlatform;
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(
      `KILN_PLATFORM_FILE ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
  const parsed = platformSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((it) => `  ${it.path.join('.')}: ${it.message}`);
  throw new Error(`KILN_PLATFORM_FILE ${file} is wrong:\n${lines.join('\n')}`);
}
