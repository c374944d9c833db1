import { poolNames } from '@kiln/domain';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openSealer } from '@kiln/auth';
import { openContextStore } from '@kiln/contexts';
import {
  addressSettings,
  commonSettings,
  contextRulesOf,
  contextSettings,
  Lifecycle,
  limitsOfAccounts,
  limitSettings,
  listSetting,
  metricsSettings,
  millisSetting,
  openLogger,
  openTracing,
  platformSettings,
  portSetting,
  readConfig,
  readPlatform,
  serveMetrics,
  webhookSettings,
} from '@kiln/kit';
import { openDatabase, openNonceStore, openRememberedLists } from '@kiln/persistence';
import { nonceKeepSeconds } from './callers/authenticate.ts';
import { openAuditTrail } from './callers/audit-trail.ts';
import { openLastUsed } from './callers/last-used.ts';
import { openLogFeed } from './live/log-feed.ts';
import { openAddressRules, openRegistryClients } from '@kiln/registry';
import { openSources, readObjectStores } from '@kiln/sources';
import { openDirectory, openWebhookRules, openQuotas, profileSettings, readProfiles } from '@kiln/usecases';
import { openEventFeed } from './live/event-feed.ts';
import { openMessaging } from '@kiln/worker';
import { openRegistryHostCheck } from './usecases/registry-hosts.ts';
import { openPendingQueue } from './usecases/place-in-line.ts';
import { z } from 'zod';
import { createApp } from './app.ts';
import { answerUnreadable } from './http/unreadable.ts';
import { openThrottle } from './callers/throttle.ts';
import { openUploads } from './usecases/uploads.ts';
import { runCampaigns } from './usecases/run-campaigns.ts';
import { sweepContexts } from './usecases/sweep-contexts.ts';

const config = readConfig(
  z.object({
    ...commonSettings,
    ...limitSettings,
    ...platformSettings,
    ...metricsSettings,
    ...webhookSettings,
    ...addressSettings,
    KILN_API_HOST: z.string().default('127.0.0.1'),
    KILN_API_PORT: portSetting.default(8080),
    /** Requests of one user in one second that this process answers; 0 for as many as come. */
    KILN_REQUESTS_PER_SECOND: z.coerce.number().int().min(0).default(2000),
    /** The same of one account, and from one address. */
    KILN_ACCOUNT_REQUESTS_PER_SECOND: z.coerce.number().int().min(0).default(4000),
    KILN_ADDRESS_REQUESTS_PER_SECOND: z.coerce.number().int().min(0).default(4000),
    /**
     * Failed tries to sign in from one address in a minute, after which it has to wait for one; 0 for as many as come.
     */
    KILN_SIGN_IN_FAILURES_PER_MINUTE: z.coerce.number().int().min(0).default(60),
    /** Addresses or blocks of proxies before this api, whose X-Forwarded-For is believed. */
    KILN_TRUSTED_PROXIES: listSetting,
    /** Whether requests signed with HMAC-SHA1, as old clients do, are taken. */
    KILN_LEGACY_SIGNATURES: z.stringbool().default(false),
    /** Whether PackageInstallation lets RUN do what it likes, or only install packages. */
    KILN_PACKAGE_INSTALLATION: z.enum(['lenient', 'strict']).default('lenient'),
    /** How long a client token stands for the build that it came with first. */
    KILN_CLIENT_TOKEN_HOURS: z.coerce.number().int().min(1).max(87_600).default(168),
    /** How long RegisterImage waits for its verification before it answers 201. */
    KILN_REGISTER_WAIT_MS: millisSetting(5000),
    ...contextSettings,
    ...profileSettings,
    KILN_DATABASE_CONNECTIONS: z.coerce.number().int().min(2).default(20),
  }),
);
// Who asks, the outbox, the audit log, the whole pending queue: few statements, and most of them remembered.
const officeConnections = 6;
const log = openLogger('api', config.KILN_LOG_LEVEL);
const life = new Lifecycle(log);
await openTracing('api', life, log);
const onError = (error: Error) => log.warn({ err: error.message }, 'database connection');
const pooler = config.KILN_DATABASE_POOLER_URL;

// Requests see the rows of their caller's account only; what is done for all of them has connections of its own.
const database = openDatabase(config.KILN_DATABASE_URL, {
  pooler,
  connections: config.KILN_DATABASE_CONNECTIONS,
  scope: 'caller',
  name: 'caller',
  onError,
});
life.defer('database', database.close);
const systemDb = openDatabase(config.KILN_DATABASE_URL, {
  pooler,
  connections: officeConnections,
  name: 'system',
  onError,
});
life.defer('system database', systemDb.close);
// A crash of the PostgreSQL server may forget the nonces of the last moments.
const volatile = openDatabase(config.KILN_DATABASE_URL, { pooler, connections: 1, durable: false, onError });
life.defer('nonces', volatile.close);
const { signals, producer, relay, openBoard } = openMessaging(config, { db: systemDb.db, life, log });

const lastUsed = openLastUsed(systemDb.db);
life.defer('last-used', lastUsed.close);
const audit = openAuditTrail(systemDb.db, log);
life.defer('audit', audit.close);
const limits = limitsOfAccounts(config);
const platform = readPlatform(config.KILN_PLATFORM);
const contexts = await openContextStore(config);
const contextRules = contextRulesOf(config);
const uploads = contexts && openUploads(contexts, contextRules);
if (contexts && uploads) {
  const sweep = sweepContexts(systemDb.db, contexts, uploads, log);
  life.defer('contexts', () => sweep.close());
}
const addressRules = openAddressRules(config.KILN_OPEN_ADDRESSES);
const registries = openRegistryClients(addressRules);
life.defer('registries', registries.close);
const logFeed = openLogFeed(database.db, signals);
const eventFeed = openEventFeed(database.db, systemDb.db, signals);
const submitting = {
  db: database.db,
  directory: openDirectory(systemDb.db, database.db),
  sealer: openSealer(config.KILN_SEALING_KEY, config.KILN_SEALING_KEYS_OLD),
  signals,
  quotas: openQuotas(database.db, limits),
  platform,
  packageRules: config.KILN_PACKAGE_INSTALLATION,
  clientTokenHours: config.KILN_CLIENT_TOKEN_HOURS,
  contexts,
  sources: openSources(addressRules, readObjectStores(config.KILN_OBJECT_STORES)),
};
const campaigns = runCampaigns({ systemDb: systemDb.db, submitting, log });
life.defer('campaigns', campaigns.close);
const app = createApp({
  ...submitting,
  campaigns,
  systemDb: systemDb.db,
  nonces: openNonceStore(volatile.db, nonceKeepSeconds),
  producer,
  relay,
  lists: openRememberedLists(),
  pendingQueue: openPendingQueue(systemDb.db, database.db, limits),
  logFeed,
  eventFeed,
  webhookRules: openWebhookRules(config.KILN_WEBHOOK_OPEN_ADDRESSES),
  boardQueues: openBoard(poolNames(platform.pools)),
  limits,
  throttle: openThrottle({
    userPerSecond: config.KILN_REQUESTS_PER_SECOND,
    accountPerSecond: config.KILN_ACCOUNT_REQUESTS_PER_SECOND,
    addressPerSecond: config.KILN_ADDRESS_REQUESTS_PER_SECOND,
    failuresPerMinute: config.KILN_SIGN_IN_FAILURES_PER_MINUTE,
  }),
  lastUsed,
  audit,
  trustedProxies: config.KILN_TRUSTED_PROXIES,
  checkRegistryHost: openRegistryHostCheck(config.KILN_OPEN_ADDRESSES),
  legacySignatures: config.KILN_LEGACY_SIGNATURES,
  waitMs: config.KILN_REGISTER_WAIT_MS,
  registries,
  uploads,
  profiles: readProfiles(config.KILN_PROFILES_DIR, config.KILN_GPU_DRIVER),
  contextRules,
  log,
});
// Uploads may take their time; how long the others may take, their routes say.
const server = createServer(
  // A request without a Host is answered like any other, and not by Node with an empty body.
  { headersTimeout: 10_000, requestTimeout: 3_600_000, keepAliveTimeout: 65_000, requireHostHeader: false },
  (req, res) => void app(req, res),
);
server.on('clientError', answerUnreadable);
server.on('checkExpectation', (req, res) => void app(req, res));
server.listen(config.KILN_API_PORT, config.KILN_API_HOST, () => {
  const { address, port } = server.address() as AddressInfo;
  log.info({ address, port }, 'listening');
});
life.defer('http', async () => {
  logFeed.close();
  eventFeed.close();
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
  server.closeAllConnections();
});
serveMetrics(config, { app: 'api', life, log });
life.closeOnSignal();
