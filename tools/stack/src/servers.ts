import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { isListening, Secret } from '@kiln/kit';
import { type App, openDatabase, putAppRoles } from '@kiln/persistence';
import pg from 'pg';
import { appPassword } from './app-logins.ts';
import { program, runQuietly } from './parts.ts';
import { logTail, type Managed, startProcess } from './processes.ts';
import { root } from './root.ts';

export const waitFor = async (server: Managed, ready: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> => {
  let over = false;
  void server.ended.then(() => (over = true));
  for (let waited = 0; waited < timeoutMs && !over; waited += 50) {
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${server.name} did not start:\n${logTail(server)}`);
};

const idOf = (flag: '-u' | '-g', user: string): number =>
  Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));

/**
 * How PostgreSQL is run: it refuses root, so as Debian's own user for it then. The folder may lie below root's home,
 * which that user cannot enter: it keeps the one capability to pass through folders.
 */
export function unprivileged(): { prefix: string[]; own: (path: string) => void } {
  if (process.getuid?.() !== 0) return { prefix: [], own: () => undefined };
  const user = 'postgres';
  const capability = '+dac_read_search';
  return {
    prefix: [
      'setpriv',
      `--reuid=${user}`,
      `--regid=${user}`,
      '--init-groups',
      `--inh-caps=${capability}`,
      `--ambient-caps=${capability}`,
      '--',
    ],
    own: (path) => chownSync(path, idOf('-u', user), idOf('-g', user)),
  };
}

export interface PostgresOptions {
  port: number;
  password: string;
  /** `false` skips waiting for the disk: for tests only. */
  durable: boolean;
  /** Its data were copied from a server that it follows: nothing can be written to it. */
  isStandby?: boolean;
  /** Settings of its own, over those that every server has here. */
  settings?: Record<string, string>;
}

/** Copies a running server's data, for another one below `stackDir` that follows it from then on. */
export async function copyPostgres(url: string, stackDir: string): Promise<void> {
  await copyData(url, stackDir, '-R');
}

/** What a server below `stackDir` archives its log with, and a folder for it. */
export function archiveSettings(stackDir: string): Record<string, string> {
  const { own } = unprivileged();
  const archive = join(stackDir, 'archive');
  mkdirSync(archive, { recursive: true });
  own(archive);
  return { archive_mode: 'on', archive_command: `cp %p '${archive}/%f'` };
}

/**
 * Backs a running server up, for one below `stackDir` that starts as of a later moment.
 * @param at the moment, when that one is started
 * @returns the settings that bring it there from what `archived` wrote down meanwhile
 */
export async function backUpPostgres(
  url: string,
  stackDir: string,
  archived: string,
): Promise<(at: string) => Record<string, string>> {
  const { data, own } = await copyData(url, stackDir);
  const signal = join(data, 'recovery.signal');
  writeFileSync(signal, '');
  own(signal);
  return (at) => ({
    restore_command: `cp '${join(archived, 'archive')}/%f' %p`,
    recovery_target_time: at,
    recovery_target_action: 'promote',
  });
}

async function copyData(url: string, stackDir: string, ...flags: string[]) {
  const data = join(stackDir, 'postgres');
  const { prefix, own } = unprivileged();
  mkdirSync(data, { recursive: true, mode: 0o700 });
  own(data);
  const command = [program('pg_basebackup'), '-d', url, '-D', data, '-X', 'stream', '-c', 'fast', ...flags];
  await runQuietly([...prefix, ...command]);
  return { data, own };
}

/** Starts PostgreSQL with its data under `dir`, on loopback only, and makes the database `kiln`. */
export async function startPostgres(
  stackDir: string,
  { port, password, durable, isStandby = false, settings: others = {} }: PostgresOptions,
): Promise<{ server: Managed; url: string }> {
  const data = join(stackDir, 'postgres');
  const { prefix, own } = unprivileged();
  if (!existsSync(join(data, 'PG_VERSION'))) {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    own(data);
    const passwordFile = join(stackDir, 'postgres-password');
    writeFileSync(passwordFile, password, { mode: 0o600 });
    own(passwordFile);
    await runQuietly([
      ...prefix,
      program('initdb'),
      '-D',
      data,
      '-U',
      'kiln',
      '-A',
      'scram-sha-256',
      `--pwfile=${passwordFile}`,
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '--no-sync',
    ]);
  }
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    ...(durable ? {} : { fsync: 'off' }),
    ...others,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // SIGINT: ends sessions and closes at once, cleanly.
  const server = startProcess(
    stackDir,
    'postgres',
    [...prefix, program('postgres'), '-D', data, '-p', String(port), ...flags],
    { stopSignal: 'SIGINT' },
  );
  const url = `postgres://kiln:${password}@127.0.0.1:${port}`;
  const query = async (database: string, statement: string) => {
    const client = new pg.Client({ connectionString: `${url}/${database}` });
    await client.connect();
    try {
      return (await client.query(statement)).rowCount;
    } finally {
      await client.end();
    }
  };
  await waitFor(server, async () => (await query('postgres', 'SELECT 1')) === 1);
  if (isStandby) return { server, url: `${url}/kiln` };
  if ((await query('postgres', "SELECT 1 FROM pg_database WHERE datname = 'kiln'")) === 0)
    await query('postgres', 'CREATE DATABASE kiln');
  await putRoles(`${url}/kiln`, password);
  return { server, url: `${url}/kiln` };
}

async function putRoles(url: string, ownersPassword: string): Promise<void> {
  const database = openDatabase(new Secret(url), { connections: 1 });
  const secret = (app: App) => new Secret(appPassword(ownersPassword, app));
  try {
    await putAppRoles(database.db, {
      api: secret('api'),
      builder: secret('builder'),
      registrar: secret('registrar'),
      scaler: secret('scaler'),
    });
  } finally {
    await database.close();
  }
}

/** Whether a server of this machine listens on a port. */
export const accepts = (port: number): Promise<boolean> => isListening({ port, host: '127.0.0.1' });

const usersOfRedis = join(root, 'deploy/redis-users.acl');

export interface RedisOptions {
  port: number;
  password: string;
  /** Namespace of Kiln's keys: a glob. */
  prefix?: string;
}

/**
 * Starts Redis with an append-only file under `dir`, on loopback only, with a password for its owner and users for the
 * apps.
 */
export async function startRedis(
  stackDir: string,
  { port, password, prefix = 'kiln' }: RedisOptions,
): Promise<{ server: Managed; url: string }> {
  const data = join(stackDir, 'redis');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir "${data}"`,
    'appendonly yes',
    'appendfsync everysec',
    'maxmemory-policy noeviction',
    `aclfile "${join(data, 'users.acl')}"`,
    'daemonize no',
    // A title would be written over the environment, by which an interrupted run's processes are found again.
    'set-proc-title no',
  ];
  const users = readFileSync(usersOfRedis, 'utf8')
    .replaceAll('PREFIX', prefix)
    .replace(/(API|BUILDER|REGISTRAR)_PASSWORD/g, (_, app: string) => appPassword(password, app.toLowerCase() as App));
  writeFileSync(join(data, 'users.acl'), `user default on >${password} ~* &* +@all\n${users}`, { mode: 0o600 });
  // A file, since arguments can be read by everyone on the machine.
  const file = join(data, 'redis.conf');
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const server = startProcess(stackDir, 'redis', [program('redis-server'), file]);
  await waitFor(server, () => accepts(port));
  return { server, url: `redis://:${password}@127.0.0.1:${port}` };
}

export interface RegistryOptions {
  port: number;
  name?: string;
  /** A line of an htpasswd file: then credentials are needed. */
  htpasswd?: string;
  /** The registry's own settings of token authentication. */
  token?: object;
  /** Paths of PEM files: then it speaks https. */
  tls?: { certificate: string; key: string };
}

/** Starts an OCI registry with its blobs under `dir`, on loopback only. */
export async function startRegistry(
  stackDir: string,
  { port, name = 'registry', htpasswd, token, tls }: RegistryOptions,
): Promise<{ server: Managed; host: string }> {
  const data = join(stackDir, name);
  mkdirSync(data, { recursive: true });
  const basic = htpasswd === undefined ? undefined : { htpasswd: { realm: 'kiln', path: join(data, 'htpasswd') } };
  const auth = token ? { auth: { token } } : basic ? { auth: basic } : {};
  if (htpasswd !== undefined) writeFileSync(join(data, 'htpasswd'), `${htpasswd}\n`);
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(data, 'blobs') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, ...(tls ? { tls } : {}) },
    ...auth,
  };
  const file = join(data, 'config.yml');
  // JSON is YAML, too.
  writeFileSync(file, JSON.stringify(config));
  const server = startProcess(stackDir, name, [program('docker-registry'), 'serve', file]);
  const host = `127.0.0.1:${port}`;
  await waitFor(server, () => accepts(port));
  return { server, host };
}
