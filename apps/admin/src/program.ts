import { openSealer } from '@kiln/auth';
import { addressSettings, platformSettings, readConfig, readPlatform, secretSetting } from '@kiln/kit';
import { openDatabase, withoutStatement } from '@kiln/persistence';
import { z } from 'zod';
import { adminCommands } from './commands/program.ts';

// Left empty, as compose files do, is left out.
const passwordSetting = secretSetting.or(z.literal('').transform(() => undefined)).optional();
const config = readConfig(
  z.object({
    KILN_DATABASE_URL: secretSetting,
    KILN_SEALING_KEY: secretSetting,
    KILN_SEALING_KEYS_OLD: secretSetting.optional(),
    /** Passwords that `migrate` gives the apps' own users of PostgreSQL: kiln_api, kiln_builder and kiln_registrar. */
    KILN_API_PASSWORD: passwordSetting,
    KILN_BUILDER_PASSWORD: passwordSetting,
    KILN_REGISTRAR_PASSWORD: passwordSetting,
    KILN_SCALER_PASSWORD: passwordSetting,
    ...platformSettings,
    ...addressSettings,
    /** As builders have them. */
    KILN_ENGINE_ROOT: z.string().default('/opt/kiln/engine'),
    KILN_LAYER_CACHE_BYTES: z.coerce
      .number()
      .int()
      .min(0)
      .default(20 * 2 ** 30),
  }),
);
const database = openDatabase(config.KILN_DATABASE_URL, { connections: 2, connectMs: 30_000 });
const print = (result: unknown) => console.log(JSON.stringify(result, null, 2));
try {
  await adminCommands({
    db: database.db,
    sealer: openSealer(config.KILN_SEALING_KEY, config.KILN_SEALING_KEYS_OLD),
    appPasswords: {
      api: config.KILN_API_PASSWORD,
      builder: config.KILN_BUILDER_PASSWORD,
      registrar: config.KILN_REGISTRAR_PASSWORD,
      scaler: config.KILN_SCALER_PASSWORD,
    },
    jail: {
      platform: readPlatform(config.KILN_PLATFORM),
      engineRoot: config.KILN_ENGINE_ROOT,
      cacheBytes: Math.floor(config.KILN_LAYER_CACHE_BYTES / 4),
    },
    openAddresses: config.KILN_OPEN_ADDRESSES,
    print,
    say: (text) => console.log(text),
  }).parseAsync();
} catch (error) {
  const cause = withoutStatement(error);
  console.error(`error: ${cause instanceof Error ? cause.message : String(cause)}`);
  process.exitCode = 1;
} finally {
  await database.close();
}
