import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Sealer } from '@kiln/auth';
import { type Engine, parseDockerfile } from '@kiln/engine';
import { backoffMs, type Logger } from '@kiln/kit';
import {
  announceBuild,
  announceRegistration,
  attemptsMax,
  type Build,
  cancelledError,
  claimBuild,
  type Database,
  moveBuild,
} from '@kiln/persistence';
import { type Relay, type SignalBus } from '@kiln/queue';
import { type RegistryClients } from '@kiln/registry';
import {
  asFault,
  type BuildState,
  describeFault,
  errorClass,
  Fault,
  formatReference,
  type QueuePayload,
} from '@kiln/schemas';
import { accessForBuild } from '@kiln/services';
import { type BuildLog, openBuildLog } from './build-log.ts';
import { holdLease, type Lease } from './hold-lease.ts';
import { Phases } from './phases.ts';
import { Redaction } from './redaction.ts';

export interface RunBuildDeps {
  db: Database;
  signals: SignalBus;
  relay: Relay;
  engine: Engine;
  registries: RegistryClients;
  sealer: Sealer;
  log: Logger;
  worker: string;
  /** Folder in which each attempt gets one of its own. */
  workRoot: string;
  /** Leases of the attempts under way, for the shutdown. */
  leases: Set<Lease>;
}

const held: BuildState[] = ['assigned', 'running', 'publishing'];

/** Stops the attempt: its build is no longer where it has to be. */
class NotOurs extends Error {}

/**
 * The job, from the claim to the pushed manifest: prepare, build, push by digest, hand over to the registrar. Every write
 * names the fence; an attempt that lost its build throws away what it has.
 */
export async function runBuild(deps: RunBuildDeps, { buildId, attempt }: QueuePayload<'image-build'>): Promise<void> {
  const { db, engine, log } = deps;
  const build = await claimBuild(db, buildId, attempt, deps.worker);
  if (!build) return;
  const lease = holdLease(deps, build);
  deps.leases.add(lease);
  const name = `${build.id}-${build.attempt}`;
  const workDir = join(deps.workRoot, name);
  const phases = new Phases(db, build);
  const redaction = new Redaction();
  const cancelled = () => lease.stopped() !== undefined;
  const move = async (from: BuildState, to: BuildState, message: string) => {
    const moved = await moveBuild(db, {
      id: build.id,
      fence: build.fence,
      from: [from],
      to,
      message,
      unlessCancelled: true,
    });
    if (!moved) throw new NotOurs();
  };
  log.info({ buildId, attempt: build.attempt }, 'build taken');

  try {
    const first = await accessForBuild(db, deps.sealer, build);
    redaction.add([first.target, ...first.bases]);
    const buildLog = openBuildLog(db, build, redaction);
    const onLine = (line: string) => buildLog.write(line);
    const contextDir = join(workDir, 'context');

    await phases.run('prepare', 'build', () => prepare(deps, build, first.target, contextDir), cancelled);
    await move('assigned', 'running', 'building');
    try {
      const image = await phases.run(
        'build',
        'push',
        () => {
          const { Dockerfile } = build.spec.BuildConfig;
          const parsed = parseDockerfile(Dockerfile);
          return engine.build({
            id: name,
            dockerfile: Dockerfile,
            parsed,
            contextDir,
            workDir,
            registries: first.bases,
            onLine,
            signal: lease.signal,
          });
        },
        cancelled,
      );
      await move('running', 'publishing', 'pushing');
      const { digest } = await phases.run(
        'push',
        'verify',
        async () => {
          // Taken anew: a token may have run out, or a password been changed, while the build ran.
          const { target } = await accessForBuild(db, deps.sealer, build);
          redaction.add([target]);
          return engine.push(image, {
            workDir,
            registry: target,
            repository: build.repository,
            onLine,
            signal: lease.signal,
          });
        },
        cancelled,
      );
      await writeLast(buildLog, `pushed ${build.host}/${build.repository}@${digest}`);
      await handOver(deps, build, digest);
      // The registrar's from here on: a lease renewed now would keep it from taking the build.
      lease.release();
    } finally {
      await buildLog.flush();
      await engine.discard({ id: name });
    }
  } catch (error) {
    await settle(deps, build, lease, phases, redaction, error);
  } finally {
    lease.release();
    deps.leases.delete(lease);
    await rm(workDir, { recursive: true, force: true });
  }
}

/** Makes the attempt's folder, and refuses at once what would be refused after a long build. */
async function prepare(
  deps: RunBuildDeps,
  build: Build,
  target: Parameters<RegistryClients['for']>[0],
  contextDir: string,
): Promise<void> {
  await mkdir(contextDir, { recursive: true });
  if (build.overwrite) return;
  const existing = await deps.registries.for(target).headManifest(build.repository, build.tag);
  if (existing) throw tagExists(build, existing);
}

const tagExists = (build: Build, digest: string) =>
  new Fault(
    'TagExists',
    `Image.Uri: ${formatReference(build)} exists already (${digest}) and OverwriteImageTag is false`,
    { field: 'Image.Uri' },
  );

const writeLast = async (buildLog: BuildLog, line: string): Promise<void> => {
  await buildLog.write(line);
  // Before the hand-over: afterwards the fence is the registrar's, and the log would be refused.
  await buildLog.flush();
};

async function handOver({ db, relay }: RunBuildDeps, build: Build, digest: string): Promise<void> {
  const moved = await moveBuild(db, {
    id: build.id,
    fence: build.fence,
    from: ['publishing'],
    to: 'registering',
    unlessCancelled: true,
    message: `pushed ${digest}`,
    set: { digest },
    announcement: announceRegistration('build', build.id, build.attempt),
  });
  if (!moved) throw new NotOurs();
  relay.nudge();
}

/** Decides what a failed attempt comes to. Only trouble that is Kiln's own is tried again. */
async function settle(
  deps: RunBuildDeps,
  build: Build,
  lease: Lease,
  phases: Phases,
  redaction: Redaction,
  error: unknown,
): Promise<void> {
  const { db, log, relay } = deps;
  const guard = { id: build.id, fence: build.fence };
  const ended = { set: { error: cancelledError(phases.current, build.attempt) }, message: 'stopped on request' };
  const finishCancel = () => moveBuild(db, { ...guard, from: ['cancelling'], to: 'cancelled', ...ended });
  if (await finishCancel()) return log.info({ buildId: build.id }, 'build cancelled');
  if (lease.stopped() === 'lost' || error instanceof NotOurs)
    return log.warn({ buildId: build.id }, 'build is no longer ours; dropped');

  const shutdown = lease.stopped() === 'shutdown';
  const fault = shutdown
    ? new Fault('EngineFailed', 'the builder was shut down')
    : redaction.fault(toBuildFault(error));
  log.info(
    {
      buildId: build.id,
      code: fault.code,
      err: fault.code === 'EngineFailed' ? (fault.cause ?? fault.message) : undefined,
    },
    'attempt failed',
  );
  const again = errorClass(fault.code) === 'infra' && (shutdown || build.attempt < attemptsMax);
  const delayMs = shutdown ? 0 : backoffMs(build.attempt, 5000, 120_000);
  const moved = again
    ? await moveBuild(db, {
        ...guard,
        from: held,
        to: 'queued',
        message: fault.message,
        delayMs,
        announcement: announceBuild(build.id, build.attempt, delayMs),
      })
    : await moveBuild(db, {
        ...guard,
        from: held,
        to: 'failed',
        message: fault.message,
        set: { error: describeFault(fault, phases.current, build.attempt) },
      });
  // Somebody asked to cancel between the first look and now.
  if (!moved) await finishCancel();
  relay.nudge();
}

/** What is not a Fault here is trouble of the builder's own, so the build is tried again elsewhere. */
const toBuildFault = (error: unknown): Fault => {
  const fault = asFault(error);
  return fault.code === 'InternalError'
    ? new Fault('EngineFailed', 'the builder met an internal error', {}, fault.cause)
    : fault;
};
