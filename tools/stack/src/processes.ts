import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Carried by every process of a stack in its environment; its value is the stack's folder. */
const marker = 'KILN_STACK';

export interface Managed {
  name: string;
  /** Resolves when the process has ended. */
  ended: Promise<number | null>;
  logFile: string;
  pid: number;
  signal: (signal: NodeJS.Signals) => void;
  /** Whether it has logged a text since it was started. */
  hasLogged(text: string): boolean;
  /** Resolves when the log holds a text. */
  logged(text: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a process in a group of its own, so that the terminal's Ctrl-C reaches only the one that stops them in order.
 */
export function startProcess(
  stackDir: string,
  name: string,
  command: string[],
  options: { env?: NodeJS.ProcessEnv; stopSignal?: NodeJS.Signals; graceMs?: number } = {},
): Managed {
  const logFile = join(stackDir, 'logs', `${name}.log`);
  const out = openSync(logFile, 'a', 0o600);
  // One log for all starts of one name: what was there before is another process's.
  const begin = fstatSync(out).size;
  const [file = '', ...args] = command;
  const child: ChildProcess = spawn(file, args, {
    detached: true,
    stdio: ['ignore', out, out],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8', ...options.env, [marker]: stackDir },
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code));
    child.on('error', () => resolve(127));
  });
  // A process behind sudo is root's: only root may signal it.
  const signal = (name: NodeJS.Signals): void => {
    if (file === 'sudo') spawnSync('sudo', ['-n', 'kill', `-${name}`, String(child.pid)], { stdio: 'ignore' });
    else child.kill(name);
  };
  const hasLogged = (text: string): boolean => readFileSync(logFile).subarray(begin).includes(text);
  return {
    name,
    ended,
    logFile,
    pid: child.pid ?? 0,
    signal,
    hasLogged,
    async logged(text) {
      for (let waited = 0; waited < 30_000; waited += 20) {
        if (hasLogged(text)) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`${name} did not log ${text}`);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      signal(options.stopSignal ?? 'SIGTERM');
      const killer = setTimeout(() => signal('SIGKILL'), options.graceMs ?? 15_000);
      await ended;
      clearTimeout(killer);
    },
  };
}

/** Last lines of a process's log, for an error. */
export const logTail = (it: Managed): string => readFileSync(it.logFile, 'utf8').split('\n').slice(-12).join('\n');

/** Ids of the processes that carry a stack's marker: those that an interrupted run left. */
export function processesOf(stackDir: string): number[] {
  const wanted = `${marker}=${stackDir}`;
  return readdirSync('/proc')
    .filter((it) => /^\d+$/.test(it) && Number(it) !== process.pid)
    .filter((it) => {
      try {
        return readFileSync(`/proc/${it}/environ`, 'utf8').split('\0').includes(wanted);
      } catch {
        return false; // ended meanwhile, or somebody else's
      }
    })
    .map(Number);
}

/** Ends what an interrupted run left in this folder. */
export async function endLeftovers(stackDir: string): Promise<number> {
  const found = processesOf(stackDir);
  // PostgreSQL closes its files on SIGINT; the others take it as a request to stop as well.
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    for (const pid of processesOf(stackDir)) {
      try {
        process.kill(pid, signal);
      } catch {
        // ended meanwhile
      }
    }
    for (let waited = 0; waited < 5000 && processesOf(stackDir).length > 0; waited += 100)
      await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return found.length;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

// Below the ports that the kernel gives to outgoing connections, so that none of those takes one before its server is
// up.
const [firstPort, lastPort] = [15_000, 32_000];

/** The port wanted, when it is free on loopback; otherwise any that is. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && (await isFree(wanted))) return wanted;
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(firstPort, lastPort);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port on 127.0.0.1');
}

/**
 * What a process has of the memory in MiB, now or at most until now.
 * @throws Error when there is no such process
 */
export const memoryMiB = (pid: number, when: 'now' | 'peak' = 'now'): number => {
  const name = when === 'now' ? 'VmRSS' : 'VmHWM';
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
};
