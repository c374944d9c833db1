import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A program of the system that Kiln needs, and Debian's package of it. */
interface Part {
  program: string;
  package: string;
  why: string;
}

export const redisPart: Part = { program: 'redis-server', package: 'redis-server', why: 'wakes the workers' };
export const poolerPart: Part = {
  program: 'pgbouncer',
  package: 'pgbouncer',
  why: 'shares sessions of PostgreSQL between transactions',
};
export const serverParts: Part[] = [
  { program: 'postgres', package: 'postgresql', why: 'keeps all that Kiln knows, and wakes the workers' },
  { program: 'docker-registry', package: 'docker-registry', why: 'holds the images of this machine' },
];
export const engineParts: Part[] = [
  { program: 'runc', package: 'runc', why: 'runs the engine in a jail' },
  { program: 'nft', package: 'nftables', why: 'says what a build may reach' },
  { program: 'ip', package: 'iproute2', why: 'connects a build with the network' },
  { program: 'mkfs.ext4', package: 'e2fsprogs', why: 'bounds the disk of a build' },
];
export const debianParts: Part[] = [
  { program: 'mmdebstrap', package: 'mmdebstrap', why: 'makes a Debian of packages: the engine, a base image' },
];

const isRoot = process.getuid?.() === 0;

/** Folders with programs; PostgreSQL's are in none of PATH's. */
function folders(): string[] {
  const versions = existsSync('/usr/lib/postgresql')
    ? readdirSync('/usr/lib/postgresql').sort((a, b) => Number(b) - Number(a))
    : [];
  const path = (process.env['PATH'] ?? '').split(':');
  return [...path, '/usr/local/sbin', '/usr/sbin', '/sbin', ...versions.map((it) => `/usr/lib/postgresql/${it}/bin`)];
}

/** Path of a program, or undefined. */
export function findProgram(program: string): string | undefined {
  return folders()
    .map((it) => join(it, program))
    .find((it) => {
      try {
        accessSync(it, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Path of a program that must be there by now. */
export function program(name: string): string {
  const found = findProgram(name);
  if (!found) throw new Error(`${name} is not installed`);
  return found;
}

export const missingParts = (parts: Part[]): Part[] => parts.filter((it) => !findProgram(it.program));

/** A command as root: as it is, or through sudo. */
export const asRoot = (command: string[]): string[] => (isRoot ? command : ['sudo', ...command]);

const policy = '/usr/sbin/policy-rc.d';

/**
 * Installs Debian's packages of what is missing. Their services are not started: Kiln runs servers of its own, beside
 * any that the machine has.
 * @throws Error that says what to install by hand, where this cannot be done
 */
export async function installParts(missing: Part[]): Promise<void> {
  const packages = missing.map((it) => it.package);
  const byHand = `sudo apt-get install ${packages.join(' ')}`;
  if (!existsSync('/usr/bin/apt-get'))
    throw new Error(
      `these are missing, and this is no Debian or Ubuntu: ${missing.map((it) => it.program).join(', ')}; install them with your package manager`,
    );
  if (!isRoot && !findProgram('sudo')) throw new Error(`these need root to be installed; ask for: ${byHand}`);
  const guard = isRoot && !existsSync(policy);
  if (guard) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const environment = ['env', 'DEBIAN_FRONTEND=noninteractive'];
    await runQuietly(asRoot([...environment, 'apt-get', 'update', '-q']));
    await runQuietly(
      asRoot([...environment, 'apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages]),
    );
  } catch (error) {
    throw new Error(
      `could not install ${packages.join(', ')}; try: ${byHand}\n${error instanceof Error ? error.message : ''}`,
      { cause: error },
    );
  } finally {
    if (guard) rmSync(policy, { force: true });
  }
}

/** Runs a command and shows its last lines only when it fails. */
export function runQuietly(
  command: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<string> {
  const [file = '', ...args] = command;
  const { timeoutMs, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...rest,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    let output = '';
    const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-65_536));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${file} ended with ${code ?? 'a signal'}:\n${output.split('\n').slice(-15).join('\n')}`));
    });
  });
}

/** First line that a program prints about its version. */
export const versionOf = (name: string): string =>
  /\d+\.\d+(?:\.\d+)?/.exec(execFileSync(program(name), ['--version'], { encoding: 'utf8' }))?.[0] ?? '';
