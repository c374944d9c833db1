import { commonPool } from '@kiln/domain';
import { hostname } from 'node:os';
import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openSealer } from '@kiln/auth';
import { abilities, openBuildah, openLauncher } from '@kiln/engine';
import {
  addressSettings,
  commonSettings,
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
import { openDatabase, openWorkerSession } from '@kiln/persistence';
import { openAddressRules, openRegistryClients } from '@kiln/registry';
import { everyone, poolName } from '@kiln/contract';
import { openBaseImages } from '@kiln/usecases';
import { openLeases, openMessaging } from '@kiln/worker';
import { z } from 'zod';
import { hostSettings } from './host-settings.ts';
import { keptAtStart, openKeptImages } from './kept-images.ts';
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
    /** How long an image is kept whose push failed for good, so that a retry need not build it again. */
    KILN_KEEP_UNPUSHED_S: z.coerce.number().int().min(0).default(3600),
    /**
     * Whose builds this takes: `untrusted` needs a jail that enforces everything; `trusted` makes do with what there
     * is.
     */
    KILN_BUILDER_TENANTS: z.enum(['untrusted', 'trusted']).default('untrusted'),
    /** A program that jails builds in the launcher's place, with its arguments between spaces; see docs/security.md. */
    KILN_JAIL_COMMAND: z
      .string()
      .transform((it) => it.split(/\s+/).filter(Boolean))
      .optional()
      .transform((it) => (it?.length ? it : undefined)),
    /** DNS servers for builds; the machine's own when left out. */
    KILN_BUILD_RESOLVERS: listSetting,
    /** Ways out of this machine that networks may name, as `device=gateway`; the first is number 1. */
    KILN_BUILD_WAYS: listSetting,
    /** What the layers of earlier builds may take of this builder's disk in all; 0 keeps none. */
    KILN_LAYER_CACHE_BYTES: z.coerce
      .number()
      .int()
      .min(0)
      .default(20 * 2 ** 30),
    /** Most bytes of a base image, unpacked. */
    KILN_BASE_BYTES_MAX: z.coerce
      .number()
      .int()
      .min(1 << 20)
      .default(40 * 2 ** 30),
  }),
);
const log = openLogger('builder', config.KILN_LOG_LEVEL);
const life = new Lifecycle(log);
await openTracing('builder', life, log);
const dir = resolve(config.KILN_BUILDER_DIR);
const workRoot = join(dir, 'work');

const storeDir = join(dir, 'store');
const engine = openBuildah({
  storeDir,
  jail: openLauncher({ storeDir, ways: config.KILN_BUILD_WAYS, program: config.KILN_JAIL_COMMAND }),
  layerCacheBytes: config.KILN_LAYER_CACHE_BYTES,
  baseBytesMax: config.KILN_BASE_BYTES_MAX,
});
const refuse = (why: string): never => {
  log.fatal(why);
  process.exit(1);
};
const { version, jail, enforces } = await engine
  .check()
  .catch((error: unknown) => refuse(error instanceof Error ? error.message : String(error)));
const missing = abilities.filter((it) => !enforces.includes(it));
if (missing.length > 0 && config.KILN_BUILDER_TENANTS === 'untrusted')
  refuse(
    `the jail "${jail}" does not enforce ${missing.join(', ')} here, so builds of strangers are not safe; with KILN_BUILDER_TENANTS=trusted the builder takes builds all the same`,
  );
await mkdir(workRoot, { recursive: true, mode: 0o700 });

const onError = (error: Error) => log.warn({ err: error.message }, 'database connection');
const database = openDatabase(config.KILN_DATABASE_URL, {
  connections: config.KILN_BUILDER_SLOTS * 2 + 3,
  name: 'work',
  onError,
});
life.defer('database', database.close);
// What a dead predecessor left: nothing in this folder can be in use yet.
const store = `${hostname()}:${dir}`;
const keptBefore = await keptAtStart(database.db, store);
await engine.reap(keptBefore);
for (const it of await readdir(workRoot)) await rm(join(workRoot, it), { recursive: true, force: true });
const { signals, relay, consume } = openMessaging(config, { db: database.db, life, log });
const registries = openRegistryClients(openAddressRules(config.KILN_OPEN_ADDRESSES));
life.defer('registries', registries.close);

const slots = config.KILN_BUILDER_SLOTS;
const worker = `${hostname()}-${process.pid}-${randomSuffix(4)}`;
const pool = config.KILN_BUILDER_POOL;
const about = { engine: engine.name, version, jail, enforces, missing };
const readDisk = async () => {
  const { bavail, blocks, bsize } = await statfs(storeDir);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
};
let disk = await readDisk();
const disks = setInterval(
  () =>
    void readDisk().then(
      (it) => (disk = it),
      () => undefined,
    ),
  10_000,
);
life.defer('disk', () => Promise.resolve(clearInterval(disks)));
// An operator wants it to take nothing new.
let isCordoned = false;
let pause: (paused: boolean) => void = () => undefined;
const session = openWorkerSession(
  config.KILN_DATABASE_URL,
  {
    name: worker,
    app: 'builder',
    slots,
    store,
    pool,
    about: () => ({ ...about, disk }),
    onCordon(cordoned) {
      log.warn({ cordoned }, cordoned ? 'takes nothing new: an operator said so' : 'takes work again');
      isCordoned = cordoned;
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
const keepSeconds = config.KILN_KEEP_UNPUSHED_S;
const hasSlot = () => !isCordoned && leases.size < slots;
const kept = openKeptImages(
  { db: database.db, engine, log, store, pool, keepSeconds, hasSlot, keptAtStart: keptBefore, signals },
  ({ id, attempt }) => runBuild(deps, { v: 1, buildId: id, attempt }),
);
const host = await hostSettings(config.KILN_BUILD_RESOLVERS, {
  layerCache: config.KILN_LAYER_CACHE_BYTES > 0,
  slots,
  ways: config.KILN_BUILD_WAYS.length,
});
if (host.resolvers.length === 0)
  log.warn('builds have no DNS: this machine has no resolver that they can reach; set KILN_BUILD_RESOLVERS');
const deps: RunBuildDeps = {
  db: database.db,
  signals,
  relay,
  engine,
  registries,
  bases: openBaseImages(registries),
  sealer: openSealer(config.KILN_SEALING_KEY, config.KILN_SEALING_KEYS_OLD),
  log,
  worker,
  pool,
  workRoot,
  leases,
  watchdog,
  kept,
  platform: readPlatform(config.KILN_PLATFORM),
  host,
  policy: { attemptsMax: config.KILN_ATTEMPTS_MAX, crashesMax: config.KILN_CRASHES_MAX },
};
const consumer = consume('image-build', slots, (payload) => runBuild(deps, payload), pool);
pause = (paused) => consumer.pause(paused);
life.defer('consumer', async () => {
  const drained = Promise.all([consumer.close(), kept.close()]);
  await session.drain();
  crashPoint('drain-begun');
  const late = setTimeout(() => leases.stopAll('shutdown'), config.KILN_DRAIN_MS);
  await drained;
  clearTimeout(late);
});
serveMetrics(config, { app: 'builder', life, log });
life.closeOnSignal();
// Once it is known to be there, it is given work.
void session.renew([]).then(
  () => signals.send('dispatch', everyone),
  () => undefined,
);
log.info({ worker, pool, engine: engine.name, version, slots, jail, enforces, missing }, 'ready');
