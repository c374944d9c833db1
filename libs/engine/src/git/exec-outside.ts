import { type ChildProcess, spawn } from 'node:child_process';
import type { RoomProgram } from '../jail/exec.ts';
import { hostEnvironment } from '../jail/command.ts';

/** No file of a repository, nor the pack that it comes in, may be larger. */
const fileBytesMax = 8 * 2 ** 30;

/** Runs a program beside the builder, without a capability; for tenants that are trusted. It ends with the builder. */
export function execOutside({ args, environment, cwd, secondsMax }: RoomProgram, signal: AbortSignal) {
  signal.throwIfAborted();
  const dying = ['setpriv', '--pdeathsig', 'KILL', '--no-new-privs'];
  // Only root may give up what its programs could get back.
  const without = process.getuid?.() === 0 ? ['--inh-caps=-all', '--bounding-set=-all'] : [];
  const timed = ['timeout', '--kill-after=5', String(secondsMax)];
  const [file = '', ...rest] = [
    ...dying,
    ...without,
    'prlimit',
    `--fsize=${fileBytesMax}`,
    ...timed,
    ...dying,
    ...args,
  ];
  const child: ChildProcess = spawn(file, rest, {
    env: { ...hostEnvironment, ...environment },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGTERM',
  });
  // Whoever waits for it learns of it by its end.
  child.on('error', () => undefined);
  return Promise.resolve(child);
}
