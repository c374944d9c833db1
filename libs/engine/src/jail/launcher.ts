import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Fault, type NetworkRules } from '@kiln/domain';
import { type Ability, abilities, type Jail, type JailReport } from './jail.ts';
import { spawnJail } from './spawn.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '../../launcher');
const cgroupRoot = '/sys/fs/cgroup';

export interface LauncherOptions {
  /** Folder of this builder; its runs and volumes lie below it. */
  storeDir: string;
  /** Ways out beside the machine's own, each as `device=gateway`. */
  ways?: readonly string[];
  /**
   * A program that takes the same arguments, and does the same in a machine or kernel of its own; ours when left out.
   */
  program?: readonly string[] | undefined;
}

const one = (name: string, value: string | number): string[] => [`--${name}`, String(value)];
const each = (name: string, values: readonly string[]): string[] => values.flatMap((it) => one(name, it));

const networkArguments = (rules: NetworkRules | 'none'): string[] =>
  rules === 'none'
    ? one('network', 'none')
    : [
        ...one('network', 'open'),
        ...one('connections', rules.connections),
        ...one('way', rules.way),
        ...each('resolver', rules.resolvers),
        ...each('allow', rules.allow),
        ...each('deny', rules.deny),
        ...each('only', rules.only),
      ];

function parseReport(text: string): JailReport {
  const rows = text.split('\n').map((it) => it.split(' '));
  const number = (name: string) => {
    const value = rows.find(([key]) => key === name)?.[1];
    return value === undefined ? undefined : Number(value);
  };
  return {
    exitCode: number('exit') ?? 125,
    timedOut: number('timed_out') === 1,
    memoryPeakBytes: number('memory_peak') ?? 0,
    oomKills: number('oom_kills') ?? 0,
    forksRefused: number('forks_refused') ?? 0,
    diskLeastBytes: number('disk_least'),
    inodesLeast: number('inodes_least'),
    refused: rows
      .filter(([key]) => key === 'refused')
      .map(([, address = '', protocol, port]) => ({
        address,
        protocol: protocol === '17' ? 'udp' : 'tcp',
        port: Number(port),
      })),
  };
}

/**
 * Jails by `launcher/kiln-jail.pl`: namespaces, cgroups, a file system in a file, a firewall, as root of this machine;
 * for an ordinary user by `launcher/kiln-rootless.pl`, which enforces less; or by another program that keeps to the
 * same arguments and the same report.
 */
export function openLauncher({ storeDir, ways = [], program }: LauncherOptions): Jail {
  const rootless = program === undefined && process.getuid?.() !== 0;
  const own = program === undefined && !rootless;
  const launcher = program ?? ['/usr/bin/perl', join(folder, rootless ? 'kiln-rootless.pl' : 'kiln-jail.pl')];
  const groups = `kiln/${createHash('sha256').update(storeDir).digest('hex').slice(0, 12)}`;
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const fileOf = (volume: string) => `${volume}.img`;
  const errand = async (what: 'remove' | 'bytes', path: string): Promise<string> => {
    if (!existsSync(path)) return '';
    const [file = '', ...args] = launcher;
    return (await run(file, [...args, `--${what}`, path], { env: environment })).stdout;
  };

  const jail: Jail = {
    name: own ? 'namespaces' : rootless ? 'rootless' : 'external',
    inside: { request: '/kiln', store: '/store', runroot: '/run/containers', base: (n) => `/bases/${n}` },
    async check() {
      try {
        await mkdir(storeDir, { recursive: true, mode: 0o700 });
        if (own) await run('/usr/bin/perl', [join(folder, 'kiln-host.pl'), ...ways], { env: environment });
        const enforces = own ? [...abilities] : await declared(launcher, environment);
        return { version: await probe(jail, storeDir), enforces };
      } catch (error) {
        throw new Fault('EngineFailed', `the jail "${jail.name}" cannot work here: ${reasonOf(error)}`, {}, error);
      }
    },
    async run(request) {
      const shown = join(request.dir, 'request');
      await mkdir(shown, { recursive: true });
      await writeFile(join(shown, 'command'), request.command.join('\0'));
      await chmod(request.dir, 0o700);
      const { memoryBytes, cpuMillis, pids, diskBytes, seconds } = request.limits;
      const command = [
        ...launcher,
        ...one('dir', request.dir), ...one('cgroup', `${groups}/${request.id.toLowerCase()}`), ...one('volume', fileOf(request.volume)),
        ...one('disk', diskBytes), ...(request.spareBytes === undefined ? [] : one('spare', request.spareBytes)),
        ...one('memory', memoryBytes), ...one('cpu', cpuMillis), ...one('pids', pids), ...one('seconds', seconds),
        ...networkArguments(request.network),
        ...each('base', request.bases.map(fileOf)),
        ...(request.gateway === undefined ? [] : one('gateway', request.gateway)),
        ...(request.data === undefined ? [] : one('data', request.data)),
      ]; // prettier-ignore
      const file = join(request.dir, 'report');
      await rm(file, { force: true });
      let report: string | undefined;
      try {
        const { code, said } = await spawnJail(command, request, environment);
        report = await readFile(file, 'utf8').catch(() => undefined);
        if (report === undefined)
          throw new Fault(
            'EngineFailed',
            `the jail ended with code ${code} and without a report: ${said || 'it said nothing'}`,
          );
        return parseReport(report);
      } finally {
        // One that was killed could not do it.
        if (report === undefined) await removeGroups(`${groups}/${request.id.toLowerCase()}`);
      }
    },
    hasVolume: (volume) => Promise.resolve(existsSync(fileOf(volume))),
    async removeVolume(volume) {
      // What belongs to subordinate ids, only their user can remove.
      if (rootless) await errand('remove', fileOf(volume));
      else await rm(fileOf(volume), { force: true });
    },
    moveVolume: (from, to) => rename(fileOf(from), fileOf(to)),
    async volumeBytes(volume) {
      if (rootless) return Number.parseInt(await errand('bytes', fileOf(volume)), 10) || 0;
      return ((await stat(fileOf(volume)).catch(() => undefined))?.blocks ?? 0) * 512;
    },
    clean: () => removeGroups(groups),
  };
  return jail;
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? (error as { stderr?: string }).stderr?.trim() || error.message : String(error);

/** What another program says that it enforces: a word or two on each line. */
async function declared(launcher: readonly string[], env: Record<string, string>): Promise<Ability[]> {
  const [file = '', ...args] = launcher;
  const { stdout } = await run(file, [...args, '--abilities'], { env });
  const lines = stdout.split('\n').map((it) => it.trim());
  return abilities.filter((it) => lines.includes(it));
}

/** Runs the engine once, with a network and without anything to do but to tell its version. */
async function probe(jail: Jail, storeDir: string): Promise<string> {
  const dir = await mkdtemp(join(storeDir, 'probe-'));
  const lines: string[] = [];
  try {
    const report = await jail.run({
      id: `probe-${randomUUID().slice(0, 8)}`,
      dir,
      command: ['--version'],
      volume: join(dir, 'volume'),
      bases: [],
      limits: { memoryBytes: 256 << 20, cpuMillis: 1000, pids: 128, diskBytes: 64 << 20, seconds: 30 },
      network: { resolvers: [], allow: [], deny: [], only: [], connections: 16, way: 0 },
      onLine: (line) => Promise.resolve(void lines.push(line)),
      signal: new AbortController().signal,
    });
    if (report.exitCode !== 0) throw new Error(lines.at(-1) ?? `it ended with code ${report.exitCode}`);
    return /version (\S+)/.exec(lines.join(' '))?.[1] ?? '';
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Ends what is left in cgroups, and removes them, in every hierarchy (version 1 has several). */
async function removeGroups(below: string): Promise<void> {
  const hierarchies = await readdir(cgroupRoot).catch(() => []);
  for (const it of ['', ...hierarchies.map((name) => `/${name}`)]) await removeTree(`${cgroupRoot}${it}/${below}`);
}

async function removeTree(group: string): Promise<void> {
  await writeFile(join(group, 'cgroup.kill'), '1').catch(() => undefined);
  const entries = await readdir(group, { withFileTypes: true }).catch(() => []);
  for (const it of entries) if (it.isDirectory()) await removeTree(join(group, it.name));
  // Busy for a moment after its last process.
  for (let tries = 0; tries < 20 && existsSync(group); tries += 1) {
    await rmdir(group).catch(() => new Promise((resolve) => setTimeout(resolve, 10)));
  }
}
