import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { type CrashPoint, crashPoints } from '@kiln/kit';
import { type AppEnvironment, type Managed, startApp } from '@kiln/stack';
import type { Link } from './link.ts';

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
  /** Where it crashed, if it did so by itself. */
  point: CrashPoint | undefined;
}

/** Kiln's processes with a supervisor over them, as systemd or an orchestrator would be. */
export interface Fleet {
  members: Member[];
  member(name: string): Member;
  /** Starts all, and waits until they are ready. */
  start(): Promise<void>;
  /** Makes the next process that comes to this point die there. */
  arm(point: CrashPoint): Promise<Crash>;
  /** Takes back what nobody came by. */
  disarm(): void;
  /** Kills a process as `kill -9` does; one that does not run just now counts as killed. */
  kill(name: string): Promise<Crash>;
  signal(name: string, signal: NodeJS.Signals): void;
  /** Whose process has this id. */
  nameOf(pid: number): string | undefined;
  pidOf(name: string): number;
  /** Kills a process; its next ones have these settings besides its own, until it is replaced again. */
  replace(name: string, change?: Record<string, string>): Promise<void>;
  /** Waits until every process runs and says that it is ready; those that were stopped are continued. */
  whole(): Promise<void>;
  /** Processes that ended though nobody had ended them, since this was asked last. */
  surprises(): string[];
  stop(): Promise<void>;
}

/** How long the supervisor waits before it starts a process again. */
const restartMs = 1000;
const crashWaitMs = 60_000;

export function openFleet(dir: string, members: Member[]): Fleet {
  const crashDir = join(dir, 'crash');
  rmSync(crashDir, { recursive: true, force: true });
  mkdirSync(crashDir, { recursive: true });
  const running = new Map<string, Managed>();
  const changes = new Map<string, Record<string, string>>();
  /** Those whose end is no surprise. */
  const doomed = new Set<string>();
  const listeners = new Set<(crash: Crash) => void>();
  let surprises: string[] = [];
  let stopping = false;

  /** The point at which a process died, which has left its id there. */
  const pointOf = (pid: number): CrashPoint | undefined => {
    const left = (it: CrashPoint) => join(crashDir, `${it}.${pid}`);
    const point = crashPoints.find((it) => existsSync(left(it)));
    // Another process may get the same id.
    if (point) rmSync(left(point));
    return point;
  };
  const start = ({ name, app, env }: Member): void => {
    const started = startApp(dir, app, { ...env, ...changes.get(name), KILN_CRASH_DIR: crashDir }, name);
    running.set(name, started);
    void started.ended.then((code) => {
      const crash = { name, at: Date.now(), point: pointOf(started.pid) };
      running.delete(name);
      if (stopping) return;
      if (!doomed.delete(name) && !crash.point) surprises.push(`${name} ended by itself with ${code ?? 'a signal'}`);
      for (const tell of listeners) tell(crash);
      setTimeout(() => !stopping && start(member(name)), restartMs);
    });
  };
  const member = (name: string): Member => {
    const found = members.find((it) => it.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  const nextCrash = (fits: (crash: Crash) => boolean, what: string): Promise<Crash> => {
    const found = new Promise<Crash>((resolve, reject) => {
      const timer = setTimeout(() => {
        listeners.delete(tell);
        reject(new Error(`waited in vain for ${what}`));
      }, crashWaitMs);
      const tell = (crash: Crash) => {
        if (!fits(crash)) return;
        clearTimeout(timer);
        listeners.delete(tell);
        resolve(crash);
      };
      listeners.add(tell);
    });
    // Awaited later, or not at all when something else has failed by then.
    found.catch(() => undefined);
    return found;
  };
  const ready = async ({ name, app, env }: Member): Promise<boolean> => {
    const process = running.get(name);
    if (!process) return false;
    process.signal('SIGCONT');
    if (app !== 'api') return process.hasLogged('"ready"');
    const answer = await fetch(`http://127.0.0.1:${env['KILN_API_PORT']}/healthz`).catch(() => undefined);
    return answer?.ok ?? false;
  };
  const fleet: Fleet = {
    members,
    member,
    async start() {
      members.forEach(start);
      await fleet.whole();
    },
    arm(point) {
      writeFileSync(join(crashDir, point), '');
      return nextCrash((it) => it.point === point, `a crash at ${point}`);
    },
    disarm() {
      for (const it of crashPoints) rmSync(join(crashDir, it), { force: true });
    },
    kill(name) {
      const process = running.get(name);
      if (!process) return Promise.resolve({ name, at: Date.now(), point: undefined });
      doomed.add(name);
      const crash = nextCrash((it) => it.name === name, `the end of ${name}`);
      process.signal('SIGKILL');
      return crash;
    },
    signal(name, signal) {
      if (signal === 'SIGTERM' && running.has(name)) doomed.add(name);
      running.get(name)?.signal(signal);
    },
    nameOf: (pid) => [...running].find(([, it]) => it.pid === pid)?.[0],
    pidOf: (name) => running.get(name)?.pid ?? 0,
    async replace(name, change = {}) {
      changes.set(name, change);
      await fleet.kill(name);
      await fleet.whole();
    },
    async whole() {
      await eventually(
        async () => ((await Promise.all(members.map(ready))).every(Boolean) ? true : undefined),
        `all of ${members.map((it) => it.name).join(', ')} to be ready`,
        60_000,
      );
    },
    surprises() {
      const told = surprises;
      surprises = [];
      return told;
    },
    async stop() {
      stopping = true;
      await Promise.all([...running.values()].map((it) => it.stop()));
    },
  };
  return fleet;
}
