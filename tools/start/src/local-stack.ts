import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Secret } from '@kiln/kit';
import { migrateDatabase, openDatabase, putRegistryConnection, setOperates } from '@kiln/persistence';
import {
  type AppEnvironment,
  endLeftovers,
  debianParts,
  engineParts,
  ensureDebianBase,
  ensureEngineRoot,
  installParts,
  type LocalState,
  logTail,
  type Managed,
  missingParts,
  portFor,
  provisionAccount,
  type ProvisionedAccount,
  readState,
  redisPart,
  serverParts,
  startApi,
  startApp,
  startPostgres,
  startRedis,
  startRegistry,
  versionOf,
  writeState,
} from '@kiln/stack';
import { bold, dim, say, step } from './progress.ts';

export interface LocalStack {
  url: string;
  registryHost: string;
  base: string;
  account: ProvisionedAccount;
  env: AppEnvironment;
  processes: Managed[];
}

/** What has begun, by name, in order. */
export type Closers = { name: string; close: () => Promise<void> }[];

/** Brings everything up, in order; each thing's end is noted in `closers` as soon as it has begun. */
export async function startLocalStack(dir: string, closers: Closers, signal: AbortSignal): Promise<LocalStack> {
  const asked = operatorsSettings(process.env);
  // On one machine the database is as fast a queue as Redis, and one server less.
  const queue = asked['KILN_QUEUE'] ?? 'postgres';
  const state = readState(dir);
  const processes: Managed[] = [];
  const keep = <T extends Managed>(it: T): T => {
    processes.push(it);
    closers.push({ name: it.name, close: () => it.stop() });
    return it;
  };
  const startQueueRedis = async (): Promise<string> => {
    const { url } = await step(
      'Redis',
      async () => {
        const started = await startRedis(dir, {
          port: await portFor(state, 'redis'),
          password: state.redisPassword,
          ...(asked['KILN_REDIS_PREFIX'] ? { prefix: asked['KILN_REDIS_PREFIX'] } : {}),
        });
        keep(started.server);
        return started;
      },
      ({ url }) => `${versionOf('redis-server')} on ${new URL(url).host}`,
    );
    return url;
  };

  say(`\n${bold('System parts')}`);
  const missing = missingParts([
    ...serverParts,
    ...(queue === 'redis' ? [redisPart] : []),
    ...engineParts,
    ...debianParts,
  ]);
  if (missing.length > 0) {
    for (const it of missing) say(dim(`    ${it.package}: ${it.why}`));
    await step(`installing ${missing.map((it) => it.package).join(', ')} from this system's packages`, () =>
      installParts(missing),
    );
  }
  const left = await endLeftovers(dir);
  if (left > 0) say(dim(`  ended ${left} processes that an interrupted start had left`));
  signal.throwIfAborted();

  const postgres = await step(
    'PostgreSQL',
    async () => {
      const started = await startPostgres(dir, {
        port: await portFor(state, 'postgres'),
        password: state.postgresPassword,
        durable: true,
      });
      keep(started.server);
      return started;
    },
    ({ url }) => `${versionOf('postgres')} on ${new URL(url).host}`,
  );
  const redisUrl = queue === 'redis' ? await startQueueRedis() : undefined;
  const registry = await step(
    'OCI registry',
    async () => {
      const started = await startRegistry(dir, { port: await portFor(state, 'registry') });
      keep(started.server);
      return started;
    },
    ({ host }) => `on ${host}`,
  );
  // Written at once: a start that fails later must find its servers' passwords and ports again.
  writeState(dir, state);
  signal.throwIfAborted();

  say(`\n${bold('Kiln')}`);
  const engineRoot = await step(
    'BuildKit, from Debian’s packages',
    () => ensureEngineRoot(),
    (it) => relative(process.cwd(), it),
  );
  signal.throwIfAborted();
  const account = await step(
    'database schema and account',
    () => prepareDatabase(dir, state, postgres.url, registry.host),
    (it) => `account ${it.accountName}, workspace ${it.workspaceId}`,
  );
  const env: AppEnvironment = {
    ...asked,
    KILN_DATABASE_URL: postgres.url,
    KILN_QUEUE: queue,
    ...(redisUrl === undefined ? {} : { KILN_REDIS_URL: redisUrl }),
    KILN_SEALING_KEY: state.sealingKey,
    KILN_BUILDER_DIR: join(dir, 'builder'),
    KILN_CONTEXT_DIR: join(dir, 'contexts'),
    KILN_ENGINE_ROOT: asked['KILN_ENGINE_ROOT'] ?? engineRoot,
    // The registry of this stack stands on loopback, which is closed to registries otherwise.
    KILN_OPEN_ADDRESSES: [registry.host, asked['KILN_OPEN_ADDRESSES']].filter(Boolean).join(','),
  };
  const apiPort = Number(asked['KILN_API_PORT'] ?? (await portFor(state, 'api')));
  writeState(dir, state);
  let builder: Managed | undefined;
  const { url } = await step(
    'api, builder and registrar',
    async () => {
      const api = await startApi(dir, env, apiPort);
      keep(api.server);
      keep(startApp(dir, 'registrar', { ...env, ...metricsPort(asked, 1) }));
      builder = startApp(dir, 'builder', { ...env, ...metricsPort(asked, 2) });
      keep(builder);
      return api;
    },
    (it) => it.url,
  );
  const base = await step(
    'base image',
    () => ensureDebianBase(registry.host, dir),
    (it) => it,
  );
  await step(
    'engine and its jail',
    () => jailOf(builder),
    (it) => it,
  );
  return { url, registryHost: registry.host, base, account, env, processes };
}

// Of this tool itself, or of other stacks: no app has them.
const notOfApps = new Set(['KILN_DIR', 'KILN_STACK', 'KILN_TEST_STACK']);

/** The settings of apps among the environment that `npm start` was given; those of files are read. */
const operatorsSettings = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => {
      if (!value || !name.startsWith('KILN_') || notOfApps.has(name)) return [];
      return name.endsWith('_FILE') ? [[name.slice(0, -5), readFileSync(value, 'utf8').trim()]] : [[name, value]];
    }),
  );

/** Each app tells its metrics at a port of its own: the one that was asked for, and those behind it. */
const metricsPort = ({ KILN_METRICS_PORT: first }: Record<string, string>, offset: number): Record<string, string> =>
  Number(first) > 0 ? { KILN_METRICS_PORT: String(Number(first) + offset) } : {};

/** What the builder says of its jail when it is ready. */
async function jailOf(builder: Managed | undefined): Promise<string> {
  if (!builder) throw new Error('no builder was started');
  const ended = builder.ended.then(() => {
    throw new Error(`the builder did not start:\n${logTail(builder)}`);
  });
  await Promise.race([builder.logged('"msg":"ready"'), ended]);
  const lines = readFileSync(builder.logFile, 'utf8').split('\n');
  const ready = lines.findLast((it) => it.includes('"msg":"ready"')) ?? '{}';
  const { jail, enforces, missing } = JSON.parse(ready) as { jail: string; enforces: string[]; missing: string[] };
  return missing.length > 0
    ? `${jail}; does not enforce ${missing.join(', ')}`
    : `${jail}; enforces ${enforces.join(', ')}`;
}

async function prepareDatabase(
  dir: string,
  state: LocalState,
  databaseUrl: string,
  registryHost: string,
): Promise<ProvisionedAccount> {
  const database = openDatabase(new Secret(databaseUrl), { connections: 2 });
  try {
    await migrateDatabase(database.db);
    state.demo ??= await provisionAccount(database.db, state.sealingKey, 'demo', registryHost);
    writeState(dir, state);
    // One that was made before there was a console runs it, too.
    await setOperates(database.db, state.demo.accountId, true);
    // The registry's port may be another one than last time.
    await putRegistryConnection(database.db, {
      accountId: state.demo.accountId,
      id: state.demo.connectionId,
      host: registryHost,
      tlsMode: 'http',
    });
    return state.demo;
  } finally {
    await database.close();
  }
}
