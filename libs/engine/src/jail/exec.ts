import { type ChildProcess, spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { hostEnvironment } from './command.ts';

/** Where a room runs: what holds it up, and its folder outside. */
export interface RoomPlace {
  holder: number;
  folder: string;
  runtime: string;
  number: number;
}

/** One program more in a room: without any capability, and unable to get one. */
export interface RoomProgram {
  args: readonly string[];
  environment: Record<string, string>;
  cwd: string;
  /** When it is ended, in seconds. */
  secondsMax: number;
}

/**
 * Runs a program in a room that is there, within its namespaces, limits and filters of system calls.
 * @param signal ends it
 */
export async function execInside(
  { holder, folder, runtime, number }: RoomPlace,
  { args, environment, cwd, secondsMax }: RoomProgram,
  signal: AbortSignal,
): Promise<ChildProcess> {
  signal.throwIfAborted();
  const settings = join(folder, `exec-${randomUUID()}.json`);
  const variables = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...environment };
  await writeFile(
    settings,
    JSON.stringify({
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['timeout', '--kill-after=5', String(secondsMax), ...args],
      env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      cwd,
      capabilities: {},
      noNewPrivileges: true,
    }),
  );
  // Where the runtime knows the room: it was started there, in mounts and processes of its own.
  const child = spawn(
    'nsenter',
    [
      `--pid=/proc/${holder}/ns/pid_for_children`, `--mount=/proc/${holder}/ns/mnt`,
      'setpriv', '--pdeathsig', 'KILL',
      runtime, '--root', join(folder, 'runtime'), 'exec', '--process', settings, `kiln-${number}`,
    ],
    { env: hostEnvironment, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  ); // prettier-ignore
  // Whoever waits for it learns of it by its end.
  child.on('error', () => undefined);
  child.once('close', () => void rm(settings, { force: true }));
  // To all of them: the runtime hands it on to the program inside.
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null)
      try {
        process.kill(-child.pid, 'SIGTERM');
      } catch {
        // It has just ended.
      }
  };
  signal.addEventListener('abort', stop, { once: true });
  child.once('close', () => signal.removeEventListener('abort', stop));
  return child;
}
