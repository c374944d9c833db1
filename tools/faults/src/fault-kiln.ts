import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Secret } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import { isDatabaseDown, migrateDatabase, openDatabase } from '@kiln/persistence';
import pg from 'pg';
import {
  type AppEnvironment,
  copyPostgres,
  endLeftovers,
  ensureBusyboxBase,
  ensureEngineRoot,
  freePort,
  type Managed,
  provisionAccount,
  type ProvisionedAccount,
  readState,
  startPostgres,
  startRedis,
  startRegistry,
} from '@kiln/stack';
import { type Answer, openSignedClient, type SignedClient } from '@kiln/stack/client';
import { openRegistryFront, type RegistryFront } from '@kiln/stack/testing';
import { type App, type Fleet, type Member, openFleet } from './fleet.ts';
import { type Link, openLink } from './link.ts';

/** A server that can be killed and started again on its port, with its data. */
export interface Server {
  kill(): Promise<void>;
  start(): Promise<void>;
  /** A process that runs already takes its place, and is started so from now on. */
  adopt(server: Managed, start: () => Promise<{ server: Managed }>): void;
  stop(): Promise<void>;
}

/** A whole Kiln, two or more of each app, on servers of its own, everything of which may be broken. */
export interface FaultKiln {
  dir: string;
  /** What durations of Kiln are multiplied with; scenarios wait by it, too. */
  timeScale: number;
  account: ProvisionedAccount;
  fleet: Fleet;
  postgres: Server;
  redis: Server;
  registry: Server;
  front: RegistryFront;
  /** Where the registry really is, past its front. */
  registryHost: string;
  base: string;
  /** Straight to PostgreSQL; it connects anew when the server was restarted. */
  sql<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
  /** One of the apis, from 1. */
  api(n: number): SignedClient;
  /** A step that runs for so many seconds. */
  request(options?: { seconds?: number; step?: string }): BuildBody;
  /**
   * Submits as a careful client does: with one token, to one api after the other, until it is accepted.
   * @returns the build's id
   */
  submit(body?: BuildBody, token?: string): Promise<string>;
  /** Folders of the builders. */
  builderDirs(): string[];
  flushRedis(): Promise<void>;
  /** Gives PostgreSQL a standby, for which each commit waits; the answer kills the one and promotes the other. */
  followPostgres(): Promise<() => Promise<void>>;
  /** Leaves no connection to PostgreSQL for anybody; the answer gives them back. */
  takeAllConnections(): Promise<() => Promise<void>>;
  /** Every id that was answered with 200. */
  accepted: Set<string>;
  /** Waits until a build has logged that its step runs. */
  stepRuns(id: string): Promise<void>;
  /** Waits until these builds have ended. */
  ended(ids: Iterable<string>, timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface BuildBody {
  Image: { Name: string; Uri: string };
  [field: string]: unknown;
}

export async function openFaultKiln(
  dir: string,
  timeScale = 1,
  processes: Record<App, number> = { registrar: 2, builder: 2, api: 2 },
  queue = 'redis',
): Promise<FaultKiln> {
  await endLeftovers(dir);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const state = readState(dir);
  const ports = { postgres: await freePort(), redis: await freePort(), registry: await freePort() };
  const passwords = { postgres: state.postgresPassword, redis: state.redisPassword };

  const startServer = (stackDir: string, port: number, isStandby = false) =>
    startPostgres(stackDir, { port, password: passwords.postgres, durable: true, isStandby });
  const postgres = await openServer(() => startServer(dir, ports.postgres));
  const redis = await openServer(() => startRedis(dir, { port: ports.redis, password: passwords.redis }));
  const registry = await openServer(() => startRegistry(dir, { port: ports.registry }));
  const urlAt = (port: number) => `postgres://kiln:${passwords.postgres}@127.0.0.1:${port}/kiln`;
  let databaseUrl = urlAt(ports.postgres);
  const redisUrl = `redis://:${passwords.redis}@127.0.0.1:${ports.redis}`;
  const front = await openRegistryFront(ports.registry);
  const base = await ensureBusyboxBase(front.host, dir);
  const engineRoot = await ensureEngineRoot();

  const database = openDatabase(new Secret(databaseUrl), { connections: 1 });
  await migrateDatabase(database.db);
  const account = await provisionAccount(database.db, state.sealingKey, 'faults', front.host);
  await database.close();

  const links: Link[] = [];
  const members: Member[] = [];
  for (const [app, count] of Object.entries(processes) as [App, number][]) {
    for (let n = 1; n <= count; n += 1) {
      const own = { postgres: await openLink(ports.postgres), redis: await openLink(ports.redis) };
      links.push(own.postgres, own.redis);
      const through = (url: string, { port }: Link) => {
        const changed = new URL(url);
        changed.port = String(port);
        return changed.href;
      };
      const env: AppEnvironment = {
        KILN_DATABASE_URL: through(databaseUrl, own.postgres),
        KILN_QUEUE: queue,
        KILN_REDIS_URL: through(redisUrl, own.redis),
        KILN_SEALING_KEY: state.sealingKey,
        KILN_BUILDER_DIR: join(dir, `builder-${n}`),
        KILN_ENGINE_ROOT: engineRoot,
        KILN_OPEN_ADDRESSES: '127.0.0.0/8',
        KILN_DRAIN_MS: '1000',
        // A build that is killed on purpose again and again is no poison.
        KILN_ATTEMPTS_MAX: '90',
        KILN_CRASHES_MAX: '90',
        ...(app === 'api' ? { KILN_API_PORT: String(await freePort()) } : {}),
        KILN_TIME_SCALE: String(timeScale),
      };
      members.push({ name: `${app}-${n}`, app, env, links: own });
    }
  } // prettier-ignore
  const fleet = openFleet(dir, members);
  const clients = members
    .filter((it) => it.app === 'api')
    .map((it) => openSignedClient(`http://127.0.0.1:${it.env['KILN_API_PORT']}`, account));
  const api = (n: number): SignedClient => {
    const client = clients[n - 1];
    if (!client) throw new Error(`there is no api-${n}`);
    return client;
  };

  let query = connect(databaseUrl);
  const accepted = new Set<string>();
  let made = 0;
  let submissions = 0;
  const kiln: FaultKiln = {
    dir, timeScale, account, fleet, postgres, redis, registry, front, base, api, accepted,
    registryHost: `127.0.0.1:${ports.registry}`,
    async sql<R extends pg.QueryResultRow>(text: string, values?: unknown[]) {
      for (let tries = 0; ; tries += 1) {
        try {
          return (await (await query).query<R>(text, values)).rows;
        } catch (error) {
          if (tries === 100 || !isDatabaseDown(error)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 100));
          query.then((it) => it.end()).catch(() => undefined);
          query = connect(databaseUrl);
          query.catch(() => undefined);
        }
      }
    },
    builderDirs: () => members.filter((it) => it.app === 'builder').map((it) => it.env['KILN_BUILDER_DIR'] ?? ''),
    flushRedis: async () =>
      void (await promisify(execFile)('redis-cli', ['-p', String(ports.redis), 'FLUSHALL'], {
        env: { ...process.env, REDISCLI_AUTH: passwords.redis },
      })),
    async followPostgres() {
      const [port, standbyDir] = [await freePort(), join(dir, `standby-${randomUUID().slice(0, 8)}`)];
      mkdirSync(join(standbyDir, 'logs'), { recursive: true });
      await copyPostgres(databaseUrl, standbyDir);
      const { server } = await startServer(standbyDir, port, true);
      await kiln.sql(`ALTER SYSTEM SET synchronous_standby_names = '*'`);
      await kiln.sql('SELECT pg_reload_conf()');
      await eventually(
        async () =>
          (await kiln.sql(`SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`)).length > 0 || undefined,
        'the standby to be waited for',
      );
      return async () => {
        await postgres.kill();
        databaseUrl = urlAt(port);
        const promoted = await connect(databaseUrl);
        await promoted.query('SELECT pg_promote()');
        await promoted.end();
        for (const it of members) it.links.postgres.lead(port);
        postgres.adopt(server, () => startServer(standbyDir, port));
      };
    },
    async takeAllConnections() {
      const taken: pg.Client[] = [];
      try {
        for (;;) taken.push(await connect(databaseUrl));
      } catch {
        return async () => void (await Promise.all(taken.map((it) => it.end())));
      }
    },
    request({ seconds = 1, step = `sleep ${seconds}` } = {}) {
      made += 1;
      const name = `fault-${made}-${randomUUID().slice(0, 6)}`;
      // Few references, so that builds meet on a tag.
      const uri = `${front.host}/fault/app-${made % 4}:latest`;
      return {
        WorkspaceId: account.workspaceId,
        Resource: {},
        TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
        OverwriteImageTag: true,
        BuildConfig: {
          BuildType: 'CustomDockerfile',
          Dockerfile: `FROM ${base}\nRUN echo ${name} begun; ${step}; echo ${name} > /made\n`,
        },
        Image: { Name: name, Uri: uri },
      };
    },
    async submit(body = kiln.request(), token = randomUUID()) {
      submissions += 1;
      const turn = submissions;
      for (let tries = 0; tries < 300; tries += 1) {
        const answer: Answer | undefined = await api(1 + ((turn + tries) % clients.length))
          .pai('POST', '/api/v1/imagebuilds', { body, query: { ClientToken: token } })
          .catch(() => undefined);
        if (answer?.status === 200) {
          const id = (answer.body as { ImageBuildId: string }).ImageBuildId;
          accepted.add(id);
          return id;
        }
        if (answer && answer.status < 500) throw new Error(`a submission was refused: ${answer.text}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      throw new Error('no api accepted a build within a minute');
    },
    async stepRuns(id) {
      await eventually(
        async () =>
          (await kiln.sql(`SELECT 1 FROM build_log_chunks WHERE build_id = $1 AND text LIKE '%begun%'`, [id])).length > 0
            ? true
            : undefined,
        `the step of ${id} to run`,
      );
    },
    async ended(ids, timeoutMs = 90_000) {
      const wanted = [...ids];
      await eventually(
        async () => {
          const [row] = await kiln.sql<{ n: number }>(
            `SELECT count(*)::int AS n FROM builds WHERE id = ANY($1) AND finished_at IS NOT NULL`,
            [wanted],
          );
          return row?.n === wanted.length ? true : undefined;
        },
        `the end of ${wanted.length} builds`,
        timeoutMs,
      );
    },
    async stop() {
      await fleet.stop();
      await (await query).end().catch(() => undefined);
      await Promise.all(links.map((it) => it.close()));
      await front.close();
      for (const it of [registry, redis, postgres]) await it.stop();
    },
  }; // prettier-ignore
  await fleet.start();
  return kiln;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, query_timeout: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function openServer(firstStart: () => Promise<{ server: Managed }>): Promise<Server> {
  let start = firstStart;
  let { server } = await start();
  return {
    async kill() {
      server.signal('SIGKILL');
      await server.ended;
    },
    async start() {
      // A server that was killed may need a moment until its port or its memory is free.
      for (let tries = 0; ; tries += 1) {
        try {
          server = (await start()).server;
          return;
        } catch (error) {
          if (tries === 20) throw error;
          await new Promise((resolve) => setTimeout(resolve, 250));
        }
      }
    },
    adopt(next, nextStart) {
      server = next;
      start = nextStart;
    },
    stop: () => server.stop(),
  };
}
