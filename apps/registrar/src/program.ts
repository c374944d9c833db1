import { hostname } from 'node:os';
import { openSealer } from '@kiln/auth';
import {
  addressSettings,
  commonSettings,
  Lifecycle,
  limitsOfAccounts,
  limitSettings,
  metricsSettings,
  openLogger,
  openTracing,
  randomSuffix,
  readConfig,
  retrySettings,
  serveMetrics,
  webhookSettings,
} from '@kiln/kit';
import { openDatabase, openWorkerSession } from '@kiln/persistence';
import { openAddressRules, openGuardedPost, openRegistryClients } from '@kiln/registry';
import { openLeases, openMessaging } from '@kiln/worker';
import { openLayerReader } from '@kiln/facts';
import { openWebhookRules, profileSettings, readProfiles } from '@kiln/usecases';
import { openAttester } from './attest/attester.ts';
import { openChecker } from './inspect/checker.ts';
import { openTagWatcher } from './drift/tag-watcher.ts';
import { openInspector } from './inspect/inspector.ts';
import { z } from 'zod';
import { openDispatcher } from './dispatcher.ts';
import { measureQueues } from './measure-queues.ts';
import { registerBuild } from './register/register-build.ts';
import { registerImage } from './register/register-image.ts';
import { openSweeper } from './sweep.ts';
import { clockSettings, clocksOf } from './settings.ts';
import { openWatch } from './watch.ts';
import { openWebhookSender } from './webhooks.ts';

const daysSetting = (fallback: number) => z.coerce.number().int().min(0).max(36_500).default(fallback);
const config = readConfig(
  z.object({
    ...commonSettings,
    ...addressSettings,
    /** Registrations at once; they wait for registries most of the time. */
    KILN_REGISTRAR_SLOTS: z.coerce.number().int().min(1).max(256).default(16),
    ...clockSettings,
    ...retrySettings,
    ...limitSettings,
    ...metricsSettings,
    ...webhookSettings,
    ...profileSettings,
    /** How long after a registry was asked for a tag of the catalogue it is asked again, more or less. 0 asks never. */
    KILN_TAG_CHECK_S: z.coerce.number().int().min(0).max(31_536_000).default(86_400),
    /** How often in a minute all registrars together ask one registry for tags. */
    KILN_TAG_CHECKS_PER_MINUTE: z.coerce.number().int().min(1).max(60_000).default(60),
    /** How long events are kept, with what became of telling webhooks of them, which may take a day. */
    KILN_EVENT_DAYS: z.coerce.number().int().min(2).max(3650).default(30),
    /** How long a build's log is kept, and all of a build whose image is in no catalogue; 0 keeps them for ever. */
    KILN_LOG_DAYS: daysSetting(90),
    KILN_BUILD_DAYS: daysSetting(365),
  }),
);
const profiles = readProfiles(config.KILN_PROFILES_DIR, config.KILN_GPU_DRIVER);
const log = openLogger('registrar', config.KILN_LOG_LEVEL);
const life = new Lifecycle(log);
await openTracing('registrar', life, log);

const connections = config.KILN_REGISTRAR_SLOTS + 6;
const onError = (error: Error) => log.warn({ err: error.message }, 'database connection');
const pooler = config.KILN_DATABASE_POOLER_URL;
const database = openDatabase(config.KILN_DATABASE_URL, { pooler, connections, name: 'work', onError });
life.defer('database', database.close);
// A registration that sets a tag holds a session for its lock, and asks others meanwhile: a pooler might have none left.
const locks = openDatabase(config.KILN_DATABASE_URL, {
  connections: config.KILN_REGISTRAR_SLOTS + 3,
  name: 'locks',
  onError,
});
life.defer('locks', locks.close);
const { signals, producer, relay, consume } = openMessaging(config, { db: database.db, life, log });
const registries = openRegistryClients(openAddressRules(config.KILN_OPEN_ADDRESSES));
life.defer('registries', registries.close);

const worker = `${hostname()}-${process.pid}-${randomSuffix(4)}`;
const slots = config.KILN_REGISTRAR_SLOTS;
const session = openWorkerSession(config.KILN_DATABASE_URL, { name: worker, app: 'registrar', slots }, onError);
life.defer('session', session.close);
const leases = openLeases({ session, signals, log });
life.defer('leases', leases.close);
const { db } = database;
const deps = {
  db,
  locks: locks.db,
  relay,
  signals,
  registries,
  sealer: openSealer(config.KILN_SEALING_KEY, config.KILN_SEALING_KEYS_OLD),
  log,
  worker,
  leases,
  registrationSeconds: config.KILN_REGISTRATION_CLOCK_S,
};
const consumer = consume('image-register', slots, ({ kind, id, attempt }) =>
  kind === 'build' ? registerBuild(deps, id, attempt) : registerImage(deps, id),
);
life.defer('consumer', consumer.close);
const dispatcher = openDispatcher(deps, limitsOfAccounts(config));
life.defer('dispatcher', dispatcher.close);
const rules = openWebhookRules(config.KILN_WEBHOOK_OPEN_ADDRESSES);
const outgoing = openGuardedPost(rules);
life.defer('outgoing', outgoing.close);
const webhooks = openWebhookSender({ ...deps, outgoing, rules });
life.defer('webhooks', webhooks.close);
const keptDays = { events: config.KILN_EVENT_DAYS, logs: config.KILN_LOG_DAYS, builds: config.KILN_BUILD_DAYS };
const sweeper = openSweeper({ ...deps, producer, dispatcher, keptDays }, clocksOf(config), {
  attemptsMax: config.KILN_ATTEMPTS_MAX,
  crashesMax: config.KILN_CRASHES_MAX,
});
const inspector = openInspector({ ...deps, reader: openLayerReader(), profiles });
life.defer('inspector', inspector.close);
const checker = openChecker(deps);
life.defer('checker', checker.close);
const attester = openAttester(deps);
life.defer('attester', attester.close);
const tagWatcher = openTagWatcher({
  ...deps,
  schedule: { everySeconds: config.KILN_TAG_CHECK_S, perMinute: config.KILN_TAG_CHECKS_PER_MINUTE },
});
life.defer('tag watcher', tagWatcher.close);
const watch = openWatch({ ...deps, dispatcher, webhooks, inspector, checker, attester, tagWatcher }, sweeper);
life.defer('watch', watch.close);
measureQueues(db);
serveMetrics(config, { app: 'registrar', life, log });
life.closeOnSignal();
log.info({ worker, slots }, 'ready');
