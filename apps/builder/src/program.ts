import { commonPool } from '@kiln/domain';
import { hostname } from 'node:os';
import { statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openSealer } from '@kiln/auth';
import { abilities } from '@kiln/engine';
import {
  addressSettings,
  commonSettings,
  contextRulesOf,
  contextSettings,
  crashPoint,
  Lifecycle,
  listSetting,
  metricsSettings,
  millisSetting,
  openLogger,
  openTracing,
  platformSettings,
  randomSuffix,
  readConfig,
  readPlatform,
  retrySettings,
  serveMetrics,
  timings,
} from '@kiln/kit';
import { openCacheDirectory, openDatabase, openWorkerSession } from '@kiln/persistence';
import { openContextStore } from '@kiln/contexts';
import { openAddressRules, openLayerStore, openRegistryClients } from '@kiln/registry';
import { openSources, readObjectStores } from '@kiln/sources';
import { everyone, poolName, type QueuePayload } from '@kiln/contract';
import { openBaseImages } from '@kiln/usecases';
import { openLeases, openMessaging } from '@kiln/worker';
import pLimit from 'p-limit';
import { z } from 'zod';
import { aboutRooms } from './about-rooms.ts';
import { engineSettings, openEngine } from './open-engine.ts';
import { hostSettings } from './host-settings.ts';
import { openCacheExports } from './attempt/cache-exports.ts';
import { runBuild, type RunBuildDeps } from './attempt/run-build.ts';
import { openWatchdog, watchedName } from './attempt/watchdog.ts';

const config = readConfig(
  z.object({
    ...commonSettings,
    ...retrySettings,
    ...addressSettings,
    ...platformSettings,
    ...metricsSettings,
    /** Folder of the image store and of the attempts' files; one builder process at a time uses it. */
    KILN_BUILDER_DIR: z.string().default('/var/lib/kiln-builder'),
    /**
     * The pool that it belongs to, by the name that requests call it (PAI's ResourceId); the common one when left out.
     */
    KILN_BUILDER_POOL: poolName.or(z.literal(commonPool)).default(commonPool),
    /** Builds at once. */
    KILN_BUILDER_SLOTS: z.coerce.number().int().min(1).max(64).default(2),
    /** How long a shutdown waits for builds to end by themselves before it hands them back. */
    KILN_DRAIN_MS: millisSetting(10_000),
    /**
     * Whose builds this takes: `untrusted` needs a jail that enforces everything; `trusted` makes do with what there
     * is.
     */
    KILN_BUILDER_TENANTS: z.enum(['untrusted', 'trusted']).default('untrusted'),
    ...engineSettings,
    /** Whether pushed images get a tag before they are verified, for registries that keep none without. */
    KILN_STAGING_TAG: z.stringbool().default(false),
    /** DNS servers for builds; the machine's own when left out. */
    KILN_BUILD_RESOLVERS: listSetting,
    ...contextSettings,
    /** What layers of bases may take of it, which are kept for all accounts that may read them. 0 keeps none. */
    KILN_BASE_CACHE_BYTES: z.coerce
      .number()
      .int()
      .min(0)
      .default(10 * 2 ** 30),
  }),
);
const log = openLogger('builder', config.KILN_LOG_LEVEL);
const life = new Lifecycle(log);
await openTracing('builder', life, log);
const dir = resolve(config.KILN_BUILDER_DIR);

const storeDir = join(dir, 'store');
const platform = readPlatform(config.KILN_PLATFORM);
const slots = config.KILN_BUILDER_SLOTS;
const cached = config.KILN_LAYER_CACHE_BYTES > 0;
const isElsewhere = config.KILN_BUILDKIT_ADDRESS.length > 0;
const host = await hostSettings(config.KILN_BUILD_RESOLVERS, {
  isElsewhere,
  layerCache: cached,
  slots,
  ways: config.KILN_BUILD_WAYS.length,
  stagingTag: config.KILN_STAGING_TAG,
});
const engine = openEngine(config, { storeDir, slots, memoryBytesMax: host.memoryBytesMax, platform });
const refuse = (why: string): never => {
  log.fatal(why);
  process.exit(1);
};
// What a dead predecessor left: nothing in this folder can be in use yet.
await engine.reap();
const { version, jail, enforces } = await engine
  .check()
  .catch((error: unknown) => refuse(error instanceof Error ? error.message : String(error)));
const missing = abilities.filter((it) => !enforces.includes(it));
if (missing.length > 0 && config.KILN_BUILDER_TENANTS === 'untrusted')
  refuse(
    `the jail "${jail}" does not enforce ${missing.join(', ')} here, so builds of strangers are not safe; with KILN_BUILDER_TENANTS=trusted the builder takes builds all the same`,
  );

const onError = (error: Error) => log.warn({ err: error.message }, 'database connection');
const database = openDatabase(config.KILN_DATABASE_URL, {
  pooler: config.KILN_DATABASE_POOLER_URL,
  connections: config.KILN_BUILDER_SLOTS * 2 + 3,
  name: 'work',
  onError,
});
life.defer('database', database.close);
life.defer('engine', engine.close);
const { producer, signals, relay, consume } = openMessaging(config, { db: database.db, life, log });
const addressRules = openAddressRules(config.KILN_OPEN_ADDRESSES);
const registries = openRegistryClients(addressRules);
life.defer('registries', registries.close);

const worker = `${hostname()}-${process.pid}-${randomSuffix(4)}`;
const pool = config.KILN_BUILDER_POOL;
const about = { engine: engine.name, version, jail, enforces, missing };
const readDisk = async () => {
  const { bavail, blocks, bsize } = await statfs(storeDir);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
};
const caches = cached ? openCacheDirectory(database.db, worker) : undefined;
const look = async () => {
  const usage = await engine.usage();
  // PostgreSQL may be away; the next look says it again.
  void caches?.set(usage.caches.map((it) => it.owner)).catch(() => undefined);
  return { disk: await readDisk(), ...aboutRooms(usage) };
};
let seen = await look();
const looks = setInterval(
  () =>
    void look().then(
      (it) => (seen = it),
      () => undefined,
    ),
  5000,
);
life.defer('looks', () => Promise.resolve(clearInterval(looks)));
let pause: (paused: boolean) => void = () => undefined;
const session = openWorkerSession(
  config.KILN_DATABASE_URL,
  {
    name: worker,
    app: 'builder',
    slots,
    pool,
    about: () => ({ ...about, ...seen }),
    onForget(accounts) {
      log.info({ accounts }, 'forgets caches: an operator said so');
      for (const it of accounts)
        engine.forget(it).catch((error: unknown) => log.warn({ err: error, account: it }, 'cache not removed'));
    },
    onCordon(cordoned) {
      log.warn({ cordoned }, cordoned ? 'takes nothing new: an operator said so' : 'takes work again');
      pause(cordoned);
      if (!cordoned) signals.send('dispatch', everyone);
    },
  },
  onError,
);
life.defer('session', session.close);
// It waits a little longer than the builder itself: what it kills, the builder knows to be lost.
const watchdog = openWatchdog(timings.watchdogMs, log);
life.defer('watchdog', watchdog.close);
const leases = openLeases({ session, signals, log }, (claims, askedAtMs) =>
  watchdog.renewed(claims.map(watchedName), askedAtMs),
);
life.defer('leases', leases.close);
if (host.resolvers.length === 0)
  log.warn('builds have no DNS: this machine has no resolver that they can reach; set KILN_BUILD_RESOLVERS');
const sealer = openSealer(config.KILN_SEALING_KEY, config.KILN_SEALING_KEYS_OLD);
const cacheExports = openCacheExports({ db: database.db, sealer, log }, slots);
life.defer('cache exports', cacheExports.close);
const deps: RunBuildDeps = {
  db: database.db,
  signals,
  relay,
  engine,
  caches,
  registries,
  bases: openBaseImages(registries),
  contextRules: contextRulesOf(config),
  sources: openSources(addressRules, readObjectStores(config.KILN_OBJECT_STORES)),
  contexts: await openContextStore(config),
  cacheExports,
  layers:
    config.KILN_BASE_CACHE_BYTES > 0
      ? await openLayerStore(join(dir, 'bases'), config.KILN_BASE_CACHE_BYTES)
      : undefined,
  sealer,
  log,
  worker,
  pool,
  leases,
  watchdog,
  platform,
  host,
  policy: { attemptsMax: config.KILN_ATTEMPTS_MAX, crashesMax: config.KILN_CRASHES_MAX },
};
// Those that are meant for this builder, and those that any of its pool may have.
const inSlot = pLimit(slots);
let takesNothing = false;
// A job that waited for a slot may come to it when the builder is to take nothing new; the build is then another's.
const take = (payload: QueuePayload<'image-build'>) =>
  inSlot(() => (takesNothing ? Promise.resolve() : runBuild(deps, payload)));
const consumers = [{ pool, builder: worker }, { pool }].map((of) => consume('image-build', slots, take, of));
pause = (paused) => {
  takesNothing = paused;
  for (const it of consumers) it.pause(paused);
};
life.defer('consumer', async () => {
  takesNothing = true;
  const drained = Promise.all(consumers.map((it) => it.close()));
  await session.drain();
  crashPoint('drain-begun');
  const late = setTimeout(() => leases.stopAll('shutdown'), config.KILN_DRAIN_MS);
  await drained;
  clearTimeout(late);
  await caches?.set([]).catch(() => undefined);
  await producer.removeQueue({ name: worker, pool }).catch((error: unknown) => log.debug({ err: error }, 'queue left'));
});
serveMetrics(config, { app: 'builder', life, log });
life.closeOnSignal();
// Once it is known to be there, it is given work.
void session.renew([]).then(
  () => signals.send('dispatch', everyone),
  () => undefined,
);
log.info({ worker, pool, engine: engine.name, version, slots, jail, enforces, missing }, 'ready');
