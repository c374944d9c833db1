import { hostname } from 'node:os';
import { openSealer } from '@kiln/auth';
import { commonSettings, Lifecycle, openLogger, randomSuffix, readConfig } from '@kiln/kit';
import { openDatabase } from '@kiln/persistence';
import { openRegistryClients } from '@kiln/registry';
import { openMessaging } from '@kiln/services';
import { z } from 'zod';
import { registerBuild } from './register-build.ts';
import { registerImage } from './register-image.ts';
import { openSweeper } from './sweep.ts';

const config = readConfig(
  z.object({
    ...commonSettings,
    /** Registrations at once; they wait for registries most of the time. */
    KILN_REGISTRAR_SLOTS: z.coerce.number().int().min(1).max(256).default(16),
    /** How long a build may wait for its first attempt. */
    KILN_QUEUE_CLOCK_S: z.coerce.number().int().min(1).default(3600),
    /** How long a build may take in all from its first attempt on. */
    KILN_RUN_CLOCK_S: z.coerce.number().int().min(1).default(3600),
  }),
);
const log = openLogger('registrar', config.KILN_LOG_LEVEL);
const life = new Lifecycle(log);

// A registration that sets a tag holds one connection for its lock and uses another one meanwhile.
const connections = config.KILN_REGISTRAR_SLOTS * 2 + 4;
const database = openDatabase(config.KILN_DATABASE_URL, {
  connections,
  onError: (error) => log.warn({ err: error.message }, 'database connection'),
});
life.defer('database', database.close);
const { signals, relay, consume } = openMessaging(config, { db: database.db, life, log });
const registries = openRegistryClients();
life.defer('registries', registries.close);

const worker = `${hostname()}-${process.pid}-${randomSuffix(4)}`;
const deps = { db: database.db, relay, signals, registries, sealer: openSealer(config.KILN_SEALING_KEY), log, worker };
const consumer = consume('image-register', config.KILN_REGISTRAR_SLOTS, ({ kind, id, attempt }) =>
  kind === 'build' ? registerBuild(deps, id, attempt) : registerImage(deps, id),
);
life.defer('consumer', consumer.close);
const sweeper = openSweeper(deps, { queueSeconds: config.KILN_QUEUE_CLOCK_S, runSeconds: config.KILN_RUN_CLOCK_S });
life.defer('sweeper', sweeper.close);
life.closeOnSignal();
log.info({ worker, slots: config.KILN_REGISTRAR_SLOTS }, 'ready');
