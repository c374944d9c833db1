import { type ChildProcess, spawn } from 'node:child_process';
import { type RoomProgram } from '../jail/exec.ts';
import { hostEnvironment } from '../jail/command.ts';

/** Runs a program beside the builder, without a capability; for tenants that are trusted. */
export function execOutside({ args, environment, cwd, secondsMax }: RoomProgram, signal: AbortSignal) {
  signal.throwIfAborted();
  // Only root may give up what its programs could get back.
  const without = process.getuid?.() === 0 ? ['--inh-caps=-all', '--bounding-set=-all'] : [];
  const within = ['--pdeathsig', 'KILL', '--no-new-privs', ...without];
  const timed = ['timeout', '--kill-after=5', String(secondsMax), ...args];
  const child: ChildProcess = spawn('setpriv', [...within, ...timed], {
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
