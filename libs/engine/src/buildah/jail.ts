import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, rmdir } from 'node:fs/promises';
import { type ProcessWatch } from '../engine.ts';
import { linesOf } from '../lines.ts';

/**
 * Runs a command in process and mount namespaces of its own. However it ends, the kernel ends every process in them and
 * drops their mounts: killing the one process that was started here kills the whole build, without asking any of it.
 * Runc's state folder is private too, so that nothing of it stays.
 */
const enter = [
  // Its parent's death ends it too, however the builder dies.
  '--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc', '--',
  'sh', '-c', 'mkdir -p /run/runc && mount -t tmpfs tmpfs /run/runc && exec "$@" 2>&1', 'kiln',
]; // prettier-ignore

/**
 * @param onLine called with each line of output, both streams as one; the command waits for it
 * @returns its exit code
 * @throws the signal's reason when it was aborted
 */
export async function runJailed(
  command: string[],
  options: {
    cwd: string;
    env: Record<string, string>;
    signal: AbortSignal;
    watch: ProcessWatch | undefined;
    onLine(line: string): Promise<void>;
  },
): Promise<number> {
  options.signal.throwIfAborted();
  const child = spawn('setpriv', [...enter, ...command], {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { pid } = child;
  if (pid !== undefined) options.watch?.started(pid);
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 137));
  });
  // Awaited below; an error of spawning must not count as unhandled until then.
  ended.catch(() => undefined);
  const kill = () => child.kill('SIGKILL');
  options.signal.addEventListener('abort', kill, { once: true });
  try {
    for await (const line of linesOf(child.stdout)) if (!options.signal.aborted) await options.onLine(line);
    return await ended;
  } finally {
    options.signal.removeEventListener('abort', kill);
    kill();
    await ended.catch(() => undefined);
    if (pid !== undefined) options.watch?.ended(pid);
    options.signal.throwIfAborted();
  }
}

const cgroupRoot = '/sys/fs/cgroup';

async function removeTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const it of entries) if (it.isDirectory()) await removeTree(`${folder}/${it.name}`);
  // Busy for a moment after its last process; the next reaping takes it then.
  await rmdir(folder).catch(() => undefined);
}

export interface Cgroups {
  /** The folder of a build's cgroups below each hierarchy. */
  parentOf(id: string): string;
  /** Removes the empty cgroups of a build, or of all builds of this store, in every hierarchy (cgroup v1 has several). */
  remove(id?: string): Promise<void>;
}

/** The cgroups of one store's builds. Another builder of this host has others, which are none of our business. */
export function openCgroups(storeDir: string): Cgroups {
  const own = `/kiln/${createHash('sha256').update(storeDir).digest('hex').slice(0, 12)}`;
  const parentOf = (id: string): string => `${own}/${id}`;
  return {
    parentOf,
    async remove(id) {
      const below = id === undefined ? own : parentOf(id);
      const hierarchies = await readdir(cgroupRoot).catch(() => []);
      for (const it of ['', ...hierarchies.map((name) => `/${name}`)]) await removeTree(cgroupRoot + it + below);
    },
  };
}
