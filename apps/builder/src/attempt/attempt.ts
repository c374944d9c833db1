import type { ProcessWatch } from '@kiln/engine';
import { type Build, type Database, moveBuild } from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import type { BuildPhase, BuildState } from '@kiln/domain';
import type { Lease, Leases } from '@kiln/worker';
import { type BuildLog, openBuildLog } from '../log/build-log.ts';
import { Phases } from './phases.ts';
import { Redaction } from '../log/redaction.ts';
import { retryUnreachable } from './retry-unreachable.ts';
import { StaleAttempt } from './stale-attempt.ts';
import { openStepRecord, type StepRecord } from './step-record.ts';
import { type Watchdog, watchedName } from './watchdog.ts';

export interface AttemptDeps {
  db: Database;
  signals: SignalBus;
  leases: Leases;
  watchdog: Watchdog;
}

/** One try of a build: everything that it holds while it lasts. */
export interface Attempt {
  build: Build;
  /** Unique among this host's: the engine's name for it. */
  name: string;
  lease: Lease;
  log: BuildLog;
  redaction: Redaction;
  /** The phase that it is in. */
  phase(): BuildPhase;
  signal: AbortSignal;
  watch: ProcessWatch;
  /** Counts what goes from or to a registry. */
  onBytes: (bytes: number) => void;
  steps: StepRecord;
  /** Runs a phase, which tries again while a registry cannot be reached, and records how it went. */
  run<T>(phase: BuildPhase, next: BuildPhase, work: () => Promise<T>): Promise<T>;
  /** @throws StaleAttempt when the build is no longer where it has to be */
  move(from: BuildState, to: BuildState, message: string): Promise<void>;
  close(): void;
}

/** @param claimedAtMs `performance.now()` before the claim */
export function openAttempt(deps: AttemptDeps, build: Build, claimedAtMs: number): Attempt {
  const { db, signals, leases, watchdog } = deps;
  const name = `${build.id}-${build.attempt}`;
  const phases = new Phases(db, build);
  const redaction = new Redaction();
  // Only a step that runs is expected to print: neither an engine that starts nor a base that comes.
  const idleMs = () => (phases.current === 'build' && steps.begun() ? log.idleMs() : undefined);
  const lease = leases.hold({ kind: 'build', id: build.id, fence: build.fence }, claimedAtMs, idleMs);
  const watch = watchdog.watch(watchedName(build), claimedAtMs);
  const stopped = () => lease.stopped() !== undefined;
  const progress = () => signals.send('progress', build.id);
  const steps = openStepRecord(db, build, redaction, progress, stopped);
  const log = openBuildLog(db, build, redaction, progress, stopped, steps.written);
  const retrying = { signal: lease.signal, log: (line: string) => log.write(line) };
  return {
    build,
    name,
    lease,
    log,
    redaction,
    phase: () => phases.current,
    signal: lease.signal,
    watch,
    onBytes: phases.onBytes,
    steps,
    run: (phase, next, work) => phases.run(phase, next, () => retryUnreachable(work, retrying), stopped),
    async move(from, to, message) {
      const guard = { id: build.id, fence: build.fence, from: [from], unlessCancelled: true };
      if (!(await moveBuild(db, { ...guard, to, message }))) throw new StaleAttempt();
      progress();
    },
    close() {
      lease.release();
      watch.release();
    },
  };
}
