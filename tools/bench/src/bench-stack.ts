import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@kiln/kit';
import { migrateDatabase, type OpenDatabase, openDatabase } from '@kiln/persistence';
import {
  type AppEnvironment,
  endLeftovers,
  engineParts,
  ensureBusyboxBase,
  ensureEngineRoot,
  installParts,
  type Managed,
  missingParts,
  portFor,
  provisionAccount,
  type ProvisionedAccount,
  pushFiles,
  readState,
  runQuietly,
  redisPart,
  serverParts,
  startApi,
  startApp,
  startPostgres,
  startRedis,
  startRegistry,
} from '@kiln/stack';
import { openSignedClient, type SignedClient } from '@kiln/stack/client';
import { timed } from './measure.ts';

export interface BenchStack {
  dir: string;
  url: string;
  client: SignedClient;
  account: ProvisionedAccount;
  registryHost: string;
  databaseUrl: string;
  sealingKey: string;
  /** What its apps are started with. */
  env: AppEnvironment;
  database: OpenDatabase;
  tiny: string;
  big: string;
  /** Start-up time of each app until it is ready, in milliseconds, and its memory when idle. */
  apps: { name: string; startMs: number; process: Managed }[];
  /** Everything that runs: servers and apps. */
  processes: readonly Managed[];
  stop(): Promise<void>;
}

const tools = [
  { program: 'skopeo', package: 'skopeo', why: 'is what registrations are compared with' },
  { program: 'buildah', package: 'buildah', why: 'is what builds are compared with' },
  { program: 'busybox', package: 'busybox-static', why: 'is the tiny base' },
];

/** Servers with their usual durability, one api, one registrar, one builder with four slots. */
export async function startBenchStack(dir: string): Promise<BenchStack> {
  const missing = missingParts([...serverParts, redisPart, ...engineParts, ...tools]);
  if (missing.length > 0) await installParts(missing);
  await endLeftovers(dir);
  rmSync(dir, { recursive: true, force: true });
  const state = readState(dir);
  const started: Managed[] = [];
  const keep = <T extends { server: Managed }>(it: T): T => {
    started.push(it.server);
    return it;
  };
  const postgres = keep(
    await startPostgres(dir, {
      port: await portFor(state, 'postgres'),
      password: state.postgresPassword,
      durable: true,
    }),
  );
  const redis = keep(await startRedis(dir, { port: await portFor(state, 'redis'), password: state.redisPassword }));
  const registry = keep(await startRegistry(dir, { port: await portFor(state, 'registry') }));
  const database = openDatabase(new Secret(postgres.url), { statementMs: 600_000 });
  await migrateDatabase(database.db);
  const account = await provisionAccount(database.db, state.sealingKey, 'bench', registry.host);
  const tiny = await ensureBusyboxBase(registry.host, dir);
  const big = await pushBigBase(registry.host, dir);

  const env: AppEnvironment = {
    KILN_DATABASE_URL: postgres.url,
    KILN_REDIS_URL: redis.url,
    KILN_SEALING_KEY: state.sealingKey,
    KILN_BUILDER_DIR: join(dir, 'builder'),
    KILN_CONTEXT_DIR: join(dir, 'contexts'),
    KILN_ENGINE_ROOT: await ensureEngineRoot(),
    KILN_BUILDER_SLOTS: '4',
    KILN_OPEN_ADDRESSES: registry.host,
    // Images that were only written into the tables have no registry behind them.
    KILN_TAG_CHECK_S: '0',
  };
  const apps: BenchStack['apps'] = [];
  let url = '';
  const apiPort = await portFor(state, 'api');
  const startMs = await timed(async () => {
    const api = keep(await startApi(dir, env, apiPort));
    url = api.url;
    apps.push({ name: 'api', startMs: 0, process: api.server });
  });
  apps[0] = { name: 'api', startMs, process: apps[0]?.process as Managed };
  for (const name of ['registrar', 'builder'] as const) {
    let worker: Managed | undefined;
    const took = await timed(async () => {
      worker = startApp(dir, name, env);
      started.push(worker);
      await worker.logged('"ready"');
    });
    apps.push({ name, startMs: took, process: worker as unknown as Managed });
  }
  return {
    dir, url, client: openSignedClient(url, account), account, registryHost: registry.host, databaseUrl: postgres.url, sealingKey: state.sealingKey, env, database, tiny, big, apps, processes: started,
    async stop() {
      await database.close();
      for (const it of started.reverse()) await it.stop();
    },
  }; // prettier-ignore
}

/** A base of 200 MB that does not compress, as images of models and CUDA do not. */
async function pushBigBase(host: string, dir: string): Promise<string> {
  const folder = join(dir, 'big-rootfs');
  mkdirSync(folder, { recursive: true });
  await runQuietly([
    'sh',
    '-c',
    `cp -a '${join(dir, 'busybox-rootfs')}/.' '${folder}/' && mkdir '${folder}/data' && for n in 1 2 3 4; do head -c 50000000 /dev/urandom > '${folder}/data/'$n; done`,
  ]);
  const reference = `${host}/kiln/big:base`;
  await pushFiles(dir, folder, reference, { Env: ['PATH=/bin'] });
  return reference;
}
