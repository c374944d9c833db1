import { hostname } from 'node:os';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openSealer } from '@kiln/auth';
import { openBuildah } from '@kiln/engine';
import { commonSettings, Lifecycle, millisSetting, openLogger, randomSuffix, readConfig } from '@kiln/kit';
import { openDatabase } from '@kiln/persistence';
import { openRegistryClients } from '@kiln/registry';
import { openMessaging } from '@kiln/services';
import { z } from 'zod';
import { type Lease } from './hold-lease.ts';
import { runBuild } from './run-build.ts';

const config = readConfig(
  z.object({
    ...commonSettings,
    /** Folder of the image store and of the attempts' files; one builder process at a time uses it. */
    KILN_BUILDER_DIR: z.string().default('/var/lib/kiln-builder'),
    /** Builds at once. */
    KILN_BUILDER_SLOTS: z.coerce.number().int().min(1).max(64).default(2),
    /** How long a shutdown waits for builds to end by themselves before it hands them back. */
    KILN_DRAIN_MS: millisSetting(10_000),
  }),
);
const log = openLogger('builder', config.KILN_LOG_LEVEL);
const life = new Lifecycle(log);
const dir = resolve(config.KILN_BUILDER_DIR);
const workRoot = join(dir, 'work');

const engine = openBuildah({ storeDir: join(dir, 'store') });
const version = await engine.check();
await mkdir(workRoot, { recursive: true, mode: 0o700 });
// What a dead predecessor left: nothing in this folder can be in use yet.
await engine.reap();
for (const it of await readdir(workRoot)) await rm(join(workRoot, it), { recursive: true, force: true });

const onError = (error: Error) => log.warn({ err: error.message }, 'database connection');
const database = openDatabase(config.KILN_DATABASE_URL, { connections: config.KILN_BUILDER_SLOTS * 2 + 3, onError });
life.defer('database', database.close);
const { signals, relay, consume } = openMessaging(config, { db: database.db, life, log });
const registries = openRegistryClients();
life.defer('registries', registries.close);

const leases = new Set<Lease>();
const worker = `${hostname()}-${process.pid}-${randomSuffix(4)}`;
const deps = {
  db: database.db,
  signals,
  relay,
  engine,
  registries,
  sealer: openSealer(config.KILN_SEALING_KEY),
  log,
  worker,
  workRoot,
  leases,
};
const consumer = consume('image-build', config.KILN_BUILDER_SLOTS, (payload) => runBuild(deps, payload));
life.defer('consumer', async () => {
  const drained = consumer.close();
  const late = setTimeout(() => leases.forEach((it) => it.stop('shutdown')), config.KILN_DRAIN_MS);
  await drained;
  clearTimeout(late);
});
life.closeOnSignal();
log.info({ worker, engine: engine.name, version, slots: config.KILN_BUILDER_SLOTS }, 'ready');
