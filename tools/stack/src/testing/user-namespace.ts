import { spawn } from 'node:child_process';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { chmod } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestKiln } from './test-kiln.ts';

/** A user namespace with a network and mounts of its own, as a container that does not share its host's users has. */
export interface UserNamespace {
  /** Runs what follows it as root in there; the servers of this machine are on its loopback. */
  command: string[];
  close(): Promise<void>;
}

// Listens where the servers would, and hands each connection out by a socket's file, which knows no network.
const listen = `
const { createServer, connect } = require('node:net');
const { spawn } = require('node:child_process');
const [dir, ports, file, ...args] = process.argv.slice(1);
for (const port of ports.split(','))
  createServer((it) => {
    const out = connect(dir + '/' + port);
    for (const end of [it, out]) end.on('error', () => [it, out].forEach((each) => each.destroy()));
    it.pipe(out).pipe(it);
  }).listen(Number(port), '127.0.0.1');
const child = spawn(file, args, { stdio: 'inherit' });
for (const it of ['SIGTERM', 'SIGINT']) process.on(it, () => child.kill(it));
child.on('exit', (code) => process.exit(code ?? 1));
`;

/** Servers of this machine's loopback, as a process with a network of its own reaches them on its loopback. */
export interface CarriedServers {
  /** Runs what follows it, once it listens in their place; root has to have set loopback up. */
  command: string[];
  close(): Promise<void>;
}

/**
 * PostgreSQL, Redis and the registry of a test's Kiln.
 * @param dir folder for sockets, which the process can reach
 */
export async function carryServers(
  dir: string,
  { env, stack }: Pick<TestKiln, 'env' | 'stack'>,
): Promise<CarriedServers> {
  const urls = [env.KILN_DATABASE_URL, stack.redisUrl, `http://${stack.registryHost}`];
  const ports = urls.map((it) => Number(new URL(it).port));
  const servers = await Promise.all(
    ports.map(async (port) => {
      const file = join(dir, String(port));
      const server = createServer((it) => {
        const out = connect(port, '127.0.0.1');
        for (const end of [it, out]) end.on('error', () => [it, out].forEach((each) => each.destroy()));
        it.pipe(out).pipe(it);
      });
      await new Promise<void>((resolve) => server.listen(file, resolve));
      await chmod(file, 0o777);
      return server;
    }),
  );
  return {
    command: [process.execPath, '-e', listen, dir, ports.join(',')],
    close: () => Promise.all(servers.map((it) => new Promise((resolve) => it.close(resolve)))).then(() => undefined),
  };
}

/**
 * @param ids how many ids it has
 * @param dir folder for sockets, which root in there can reach
 * @param kiln whose servers are on its loopback
 */
export async function openUserNamespace(
  ids: number,
  dir: string,
  kiln: Pick<TestKiln, 'env' | 'stack'>,
): Promise<UserNamespace> {
  const firstId = 1_700_000_000;
  const holder = spawn('unshare', ['--user', '--net', '--mount', '--cgroup', 'sleep', 'infinity'], { stdio: 'ignore' });
  const pid = holder.pid ?? 0;
  const own = readlinkSync('/proc/self/ns/user');
  while (!existsSync(`/proc/${pid}/ns/user`) || readlinkSync(`/proc/${pid}/ns/user`) === own) await sleep(10);
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${map}`, `0 ${firstId} ${ids}`);
  const servers = await carryServers(dir, kiln);
  const inside = 'mount -t tmpfs tmpfs /run; ip link set lo up; exec "$@"';
  return {
    command: [
      'nsenter', `--target=${pid}`, '--user', '--net', '--mount', '--cgroup', '--setuid=0', '--setgid=0',
      'unshare', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', inside, 'sh', ...servers.command,
    ],
    async close() {
      holder.kill('SIGKILL');
      await servers.close();
    },
  }; // prettier-ignore
}
