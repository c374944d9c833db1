import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { type CrashPoint } from '@kiln/kit';
import { type AppEnvironment, startApp } from '../stack/apps.ts';
import { type Managed } from '../stack/processes.ts';
import { type Link } from './link.ts';

export type App = 'api' | 'builder' | 'registrar';

export interface Member {
  name: string;
  app: App;
  env: AppEnvironment;
  /** Its ways to PostgreSQL and Redis. */
  links: { postgres: Link; redis: Link };
}

export interface Crash {
  name: string;
  /** Milliseconds since 1970. */
  at: number;
}

/** Kiln's processes with a supervisor over them, as systemd or an orchestrator would be. */
export interface Fleet {
  members: Member[];
  /** Starts all, and waits until they are ready. */
  start(): Promise<void>;
  /** Makes the next process that comes to this point die there. */
  arm(point: CrashPoint): Promise<Crash>;
  disarm(): void;
  /** Kills a process as `kill -9` does. */
  kill(name: string): Promise<Crash>;
  signal(name: string, signal: NodeJS.Signals): void;
  /** Whose process has this id. */
  nameOf(pid: number): string | undefined;
  pidOf(name: string): number;
  /** Stops a process and starts it with other settings; without any, with its own again. */
  replace(name: string, change?: Record<string, string>): Promise<void>;
  /** Does not bring it back until it is started again. */
  stopSupervising(name: string): void;
  supervise(name: string): void;
  /** Waits until every supervised process runs and says that it is ready. */
  whole(): Promise<void>;
  stop(): Promise<void>;
}

/** How long the supervisor waits before it starts a process again. */
const restartMs = 1000;

export function openFleet(dir: string, members: Member[]): Fleet {
  const crashDir = join(dir, 'crash');
  mkdirSync(crashDir, { recursive: true });
  const running = new Map<string, Managed>();
  const changes = new Map<string, Record<string, string>>();
  const unsupervised = new Set<string>();
  const waiting = new Set<(crash: Crash) => void>();
  let stopping = false;

  const member = (name: string): Member => {
    const found = members.find((it) => it.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  const start = (name: string): void => {
    const { app, env } = member(name);
    const started = startApp(dir, app, { ...env, ...changes.get(name), KILN_CRASH_DIR: crashDir }, name);
    running.set(name, started);
    void started.ended.then(() => {
      const at = Date.now();
      if (running.get(name) === started) running.delete(name);
      for (const tell of waiting) tell({ name, at });
      if (!stopping)
        setTimeout(() => !stopping && !running.has(name) && !unsupervised.has(name) && start(name), restartMs);
    });
  };
  const nextCrash = (of: (crash: Crash) => boolean, what: string): Promise<Crash> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(tell);
        reject(new Error(`waited in vain for ${what}`));
      }, 60_000);
      const tell = (crash: Crash) => {
        if (!of(crash)) return;
        clearTimeout(timer);
        waiting.delete(tell);
        resolve(crash);
      };
      waiting.add(tell);
    });
  const ready = async (it: Member): Promise<boolean> => {
    const process = running.get(it.name);
    if (!process) return false;
    if (it.app === 'api')
      return fetch(`http://127.0.0.1:${it.env['KILN_API_PORT']}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      );
    return process.hasLogged('"ready"');
  };

  return {
    members,
    async start() {
      for (const it of members) start(it.name);
      await this.whole();
    },
    arm(point) {
      const crash = nextCrash(() => true, `a crash at ${point}`);
      writeFileSync(join(crashDir, point), '');
      return crash;
    },
    disarm() {
      rmSync(crashDir, { recursive: true, force: true });
      mkdirSync(crashDir);
    },
    kill(name) {
      const crash = nextCrash((it) => it.name === name, `the end of ${name}`);
      running.get(name)?.signal('SIGKILL');
      return crash;
    },
    signal: (name, signal) => running.get(name)?.signal(signal),
    pidOf: (name) => running.get(name)?.pid ?? 0,
    async replace(name, change = {}) {
      changes.set(name, change);
      await this.kill(name);
      await this.whole();
    },
    nameOf: (pid) => [...running].find(([, it]) => it.pid === pid)?.[0],
    stopSupervising: (name) => void unsupervised.add(name),
    supervise(name) {
      unsupervised.delete(name);
      if (!running.has(name)) start(name);
    },
    async whole() {
      await eventually(
        async () => ((await Promise.all(members.map(ready))).every(Boolean) ? true : undefined),
        `all of ${members.map((it) => it.name).join(', ')} to be ready`,
        60_000,
      );
    },
    async stop() {
      stopping = true;
      await Promise.all([...running.values()].map((it) => it.stop()));
    },
  };
}
