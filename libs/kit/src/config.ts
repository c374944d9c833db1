import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Secret } from './secret.ts';

type Env = Record<string, string | undefined>;

// NAME_FILE holds a path whose content is the value: the way of mounted secrets.
const readFiles = (env: Env): Env => {
  const out: Env = { ...env };
  for (const [name, path] of Object.entries(env)) {
    const target = name.endsWith('_FILE') ? name.slice(0, -5) : undefined;
    if (target?.startsWith('KILN_') && path && out[target] === undefined)
      out[target] = readFileSync(path, 'utf8').trim();
  }
  return out;
};

/**
 * Reads an app's settings from the environment, once, at start. `KILN_X_FILE` gives the value of `KILN_X`.
 * @throws Error that lists every setting that is missing or wrong
 */
export function readConfig<S extends z.ZodObject>(schema: S, env: Env = process.env): z.output<S> {
  const set = Object.fromEntries(
    Object.entries(readFiles(env)).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(set);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((it) => `  ${it.path.join('.')}: ${it.message}`);
  throw new Error(`settings are missing or wrong:\n${lines.join('\n')}`);
}

export const secretSetting = z
  .string()
  .min(1)
  .transform((it) => new Secret(it));
export const portSetting = z.coerce.number().int().min(0).max(65_535);
export const millisSetting = (fallback: number) => z.coerce.number().int().min(0).default(fallback);

/** How often a build is tried when it was interrupted. */
export const retrySettings = {
  /** Attempts that may end by no fault of the build, in all. */
  KILN_ATTEMPTS_MAX: z.coerce.number().int().min(1).max(100).default(3),
  /** Workers that a build may take with it before it is put into quarantine. */
  KILN_CRASHES_MAX: z.coerce.number().int().min(1).max(100).default(2),
};

/** Limits of accounts that have none of their own; 0 for none. */
export const limitSettings = {
  KILN_ACCOUNT_RUNNING_MAX: z.coerce.number().int().min(0).default(0),
  KILN_ACCOUNT_WAITING_MAX: z.coerce.number().int().min(0).default(100_000),
  /**
   * Builds of an account that are accepted within any 24 hours, and entries that it has in the catalogue; 0 for no
   * limit.
   */
  KILN_ACCOUNT_DAILY_MAX: z.coerce.number().int().min(0).default(0),
  KILN_ACCOUNT_IMAGES_MAX: z.coerce.number().int().min(0).default(0),
};

/** What those settings say. */
export const limitsOfAccounts = (settings: z.infer<z.ZodObject<typeof limitSettings>>) => ({
  runningMax: settings.KILN_ACCOUNT_RUNNING_MAX,
  waitingMax: settings.KILN_ACCOUNT_WAITING_MAX,
  dailyMax: settings.KILN_ACCOUNT_DAILY_MAX,
  imagesMax: settings.KILN_ACCOUNT_IMAGES_MAX,
});

/** A list in one setting: words between commas. */
export const listSetting = z
  .string()
  .default('')
  .transform((it) =>
    it
      .split(',')
      .map((word) => word.trim())
      .filter(Boolean),
  );

/** Where Kiln's own requests to registries may go. */
export const addressSettings = {
  /**
   * Of the addresses that are closed to them (loopback, private, link-local), those that are open: hosts, `host:port`,
   * blocks.
   */
  KILN_OPEN_ADDRESSES: listSetting,
};

/** Where webhooks may be sent; apart from registries, so that what is opened for one is not for the other. */
export const webhookSettings = {
  /** Of the addresses that are closed to them, those that are open, also without TLS: hosts, `host:port`, blocks. */
  KILN_WEBHOOK_OPEN_ADDRESSES: listSetting,
};

/** An address that may have a password in it. */
const secretUrl = z
  .string()
  .url()
  .transform((it) => new Secret(it));
const serversSetting = listSetting.pipe(z.array(z.string().regex(/^\S+:\d+$/, 'is host:port, with commas between')));

/** Settings that every app has. */
export const commonSettings = {
  KILN_DATABASE_URL: secretUrl,
  /**
   * A pooler that shares sessions between transactions, such as PgBouncer: statements go through it. The address above
   * then is for what needs a session of its own: the locks of workers, and LISTEN.
   */
  KILN_DATABASE_POOLER_URL: secretUrl.optional(),
  /** Where jobs wait and signals pass: in Redis, or in the database. */
  KILN_QUEUE: z.enum(['redis', 'postgres']).default('redis'),
  /** Is needed where the queue is Redis. */
  KILN_REDIS_URL: secretUrl.optional(),
  /** Sentinels that know which Redis is the primary of a name, as `host:port` between commas. */
  KILN_REDIS_SENTINELS: serversSetting,
  KILN_REDIS_SENTINEL_NAME: z.string().min(1).default('mymaster'),
  KILN_REDIS_SENTINEL_PASSWORD: secretSetting.optional(),
  /** Some servers of a Redis Cluster, as `host:port` between commas; they know the others. */
  KILN_REDIS_CLUSTER: serversSetting,
  /** Namespace of Kiln's keys in Redis. */
  KILN_REDIS_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .default('kiln'),
  /** 32 bytes in base64: the key that seals secrets in PostgreSQL. `openssl rand -base64 32` makes one. */
  KILN_SEALING_KEY: secretSetting,
  /** Keys that sealed before, between commas, until `admin reseal` has sealed everything anew. */
  KILN_SEALING_KEYS_OLD: secretSetting.optional(),
  KILN_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
};
