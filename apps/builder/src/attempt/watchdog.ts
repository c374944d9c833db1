import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ProcessWatch } from '@kiln/engine';
import type { Logger } from '@kiln/kit';

export type WatchdogMessage =
  /** These may go on until this moment of the machine's monotonic clock, which all its processes share. */
  | { kind: 'renewed'; ids: string[]; untilMs: number }
  | { kind: 'started' | 'ended'; id: string; pid: number }
  | { kind: 'released'; id: string };

export interface Watchdog {
  /** @param askedAtMs `performance.now()` when the renewal was asked for */
  renewed(ids: string[], askedAtMs: number): void;
  /** Watches an attempt's processes from now on. */
  watch(id: string, claimedAtMs: number): ProcessWatch & { release(): void };
  close: () => void;
}

/** What an attempt is called here: two of one build may overlap for a moment. */
export const watchedName = ({ id, fence }: { id: string; fence: number }): string => `${id} ${fence}`;

const program = fileURLToPath(new URL('watchdog-process.js', import.meta.url));
const monotonicMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/**
 * A process beside the builder that kills an attempt's processes once its lease is older than `limitMs`: the builder's
 * own timers do nothing while its event loop is blocked or the process is stopped.
 */
export function openWatchdog(limitMs: number, log: Logger): Watchdog {
  const until = new Map<string, { untilMs: number; pids: Set<number> }>();
  let closed = false;
  let child = start();

  function start(): ChildProcess {
    const started = fork(program, { stdio: 'ignore', execArgv: [] });
    started.on('error', (error) => log.warn({ err: error }, 'watchdog'));
    started.on('exit', () => {
      if (closed) return;
      log.warn('the watchdog has ended; starting another one');
      child = start();
      for (const [id, { untilMs, pids }] of until) {
        send({ kind: 'renewed', ids: [id], untilMs });
        for (const pid of pids) send({ kind: 'started', id, pid });
      }
    });
    return started;
  }
  function send(message: WatchdogMessage): void {
    // One that has just ended is replaced by one that is told everything.
    if (child.connected) child.send(message, () => undefined);
  }
  const deadline = (sinceMs: number): number => Math.round(monotonicMs() - (performance.now() - sinceMs) + limitMs);

  return {
    renewed(ids, askedAtMs) {
      const untilMs = deadline(askedAtMs);
      const known = ids.filter((id) => until.has(id));
      for (const id of known) until.set(id, { untilMs, pids: until.get(id)?.pids ?? new Set() });
      if (known.length > 0) send({ kind: 'renewed', ids: known, untilMs });
    },
    watch(id, claimedAtMs) {
      const pids = new Set<number>();
      const untilMs = deadline(claimedAtMs);
      until.set(id, { untilMs, pids });
      send({ kind: 'renewed', ids: [id], untilMs });
      return {
        started(pid) {
          pids.add(pid);
          send({ kind: 'started', id, pid });
        },
        ended(pid) {
          pids.delete(pid);
          send({ kind: 'ended', id, pid });
        },
        release() {
          until.delete(id);
          send({ kind: 'released', id });
        },
      };
    },
    close() {
      closed = true;
      child.disconnect();
    },
  };
}
