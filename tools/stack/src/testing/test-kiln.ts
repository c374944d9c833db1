import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, type TestStack, testStack } from '@kiln/kit/testing';
import { createProject, type OpenDatabase, putRegistryConnection } from '@kiln/persistence';
import { openTestDatabase } from '@kiln/persistence/testing';
import { openSignedClient, type SignedClient } from '../client/signed-client.ts';
import { startApi, startApp, type AppEnvironment } from '../apps.ts';
import { freePort, type Managed } from '../processes.ts';
import { provisionAccount, type ProvisionedAccount } from '../provision.ts';
import { root } from '../root.ts';

/** A whole Kiln of real processes on the test stack, with a database of its own. */
export interface TestKiln extends SignedClient {
  stack: TestStack;
  url: string;
  account: ProvisionedAccount;
  database: OpenDatabase;
  env: AppEnvironment;
  /** Reference of the busybox base. */
  base: string;
  /** A request for CreateImageBuild; its image gets a new name and repository unless they are given. */
  buildRequest(
    dockerfile: string,
    change?: { image?: Record<string, unknown>; config?: Record<string, unknown>; top?: Record<string, unknown> },
  ): BuildBody;
  submit(body: BuildBody, clientToken?: string): Promise<{ ImageBuildId: string; ImageBuildJobId: string }>;
  /** Waits until a build has ended, and gives what GetImageBuild says. */
  ended(buildId: string): Promise<any>;
  logs(buildId: string): Promise<string>;
  /** Runs the operator's command and gives what it prints. */
  admin(args: string[], env?: Record<string, string>): Promise<any>;
  /** Makes another project of the account and gives its id. */
  addProject(name: string): Promise<string>;
  /** Lets the account reach a registry without TLS. */
  trustPlainHttp(host: string): Promise<void>;
  start(app: 'builder' | 'registrar', change?: Record<string, string>): Managed;
  /** The process of an app that was started last. */
  running(app: 'builder' | 'registrar'): Managed;
  /** Ids of its processes, by name. */
  pids(): Record<string, number>;
  /** Starts another api beside the first, with other settings, and gives its address. */
  startApi(change: Record<string, string>): Promise<string>;
  /** Stops one that was started so. */
  stopApi(url: string): Promise<void>;
  stop(): Promise<void>;
}

export interface BuildBody {
  Image: { Name: string; Uri: string; [field: string]: unknown };
  [field: string]: unknown;
}

const run = promisify(execFile);
const adminMain = join(root, 'apps/admin/dist/main.js');

export async function openTestKiln(
  options: {
    apps?: ('builder' | 'registrar')[];
    env?: Record<string, string>;
    platform?: object;
    /** Starts what its apps need beside the stack, and says how they find it. */
    before?: (made: { dir: string; databaseUrl: string }) => Promise<Record<string, string>>;
  } = {},
): Promise<TestKiln> {
  const stack = testStack();
  const id = randomUUID().slice(0, 8);
  const dir = join(stack.dir, `kiln-${id}`);
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const database = await openTestDatabase(stack.postgresUrl);
  const sealingKey = randomBytes(32).toString('base64');
  const account = await provisionAccount(database.db, sealingKey, `account-${id}`, stack.registryHost);
  const env: AppEnvironment = {
    KILN_DATABASE_URL: database.url.reveal(),
    KILN_REDIS_URL: stack.redisUrl,
    KILN_REDIS_PREFIX: `test-${id}`,
    KILN_SEALING_KEY: sealingKey,
    KILN_BUILDER_DIR: join(dir, 'builder'),
    KILN_CONTEXT_DIR: join(dir, 'contexts'),
    KILN_ENGINE_ROOT: stack.engineRoot,
    // The test stack's registries.
    KILN_OPEN_ADDRESSES: '127.0.0.0/8',
    // Tests make many mistakes on purpose.
    KILN_SIGN_IN_FAILURES_PER_MINUTE: '0',
    ...options.env,
    ...(await options.before?.({ dir, databaseUrl: database.url.reveal() })),
  };
  if (options.platform) {
    env['KILN_PLATFORM_FILE'] = join(dir, 'platform.json');
    writeFileSync(env['KILN_PLATFORM_FILE'], JSON.stringify(options.platform));
  }
  const api = await startApi(dir, env, await freePort());
  const processes: Managed[] = [api.server];
  const others = new Map<string, Managed>();
  const start = (app: 'builder' | 'registrar', change: Record<string, string> = {}) => {
    const it = startApp(dir, app, { ...env, ...change });
    processes.push(it);
    return it;
  };
  for (const app of options.apps ?? ['builder', 'registrar']) start(app);
  const client = openSignedClient(api.url, account);

  return {
    ...client,
    stack,
    url: api.url,
    account,
    database,
    env,
    base: `${stack.registryHost}/kiln/busybox:base`,
    start,
    running(app) {
      const found = processes.findLast((it) => it.name === app);
      if (!found) throw new Error(`no ${app} was started`);
      return found;
    },
    pids: () => Object.fromEntries(processes.map((it) => [it.name, it.pid])),
    async startApi(change) {
      const another = await startApi(dir, { ...env, ...change }, await freePort());
      processes.push(another.server);
      others.set(another.url, another.server);
      return another.url;
    },
    async stopApi(url) {
      await others.get(url)?.stop();
    },
    buildRequest(dockerfile, change = {}) {
      const name = `image-${randomUUID().slice(0, 8)}`;
      return {
        WorkspaceId: account.workspaceId,
        Resource: { EcsSpec: 'ecs.c6.large' },
        TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
        BuildConfig: { Dockerfile: dockerfile, BuildType: 'CustomDockerfile', ...change.config },
        Image: { Name: name, Uri: `${stack.registryHost}/e2e/${name}:v1`, ...change.image },
        ...change.top,
      };
    },
    async submit(body, clientToken) {
      const answer = await client.pai('POST', '/api/v1/imagebuilds', {
        body,
        ...(clientToken === undefined ? {} : { query: { ClientToken: clientToken } }),
      });
      if (answer.status !== 200) throw new Error(`CreateImageBuild answered ${answer.status}: ${answer.text}`);
      return answer.body as { ImageBuildId: string; ImageBuildJobId: string };
    },
    ended(buildId) {
      return eventually(
        async () => {
          const { body } = await client.pai('GET', `/api/v1/imagebuilds/${buildId}`);
          return ['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'].includes(
            (body as { State: string }).State,
          )
            ? (body as unknown)
            : undefined;
        },
        `the end of ${buildId}`,
        150_000,
      );
    },
    async admin(args, change = {}) {
      const { stdout } = await run(process.execPath, [adminMain, ...args], {
        env: { ...process.env, ...env, ...change },
      });
      return JSON.parse(stdout) as unknown;
    },
    addProject: async (name) => (await createProject(database.db, account.accountId, name)).id,
    async trustPlainHttp(host) {
      await putRegistryConnection(database.db, {
        accountId: account.accountId,
        id: `http-${host}`,
        host,
        tlsMode: 'http',
      });
    },
    logs: async (buildId) => (await client.pai('GET', `/api/v1/imagebuilds/${buildId}/logs`)).text,
    async stop() {
      for (const it of processes.reverse()) await it.stop();
      await database.close();
    },
  };
}
