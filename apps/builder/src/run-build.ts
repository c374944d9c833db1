import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Sealer } from '@kiln/auth';
import { type Engine, parseDockerfile } from '@kiln/engine';
import { crashPoint, type Logger } from '@kiln/kit';
import {
  announceRegistration,
  type Build,
  claimBuild,
  type Database,
  moveBuild,
  type RetryPolicy,
} from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { type RegistryClients } from '@kiln/registry';
import { type BuildState, everyone, Fault, formatReference, type QueuePayload } from '@kiln/schemas';
import { accessForBuild, type Leases, type Relay } from '@kiln/services';
import { type BuildLog, openBuildLog } from './build-log.ts';
import { Phases } from './phases.ts';
import { Redaction } from './redaction.ts';
import { withRegistryPatience } from './registry-patience.ts';
import { NotOurs, settleAttempt } from './settle-attempt.ts';
import { type Watchdog } from './watchdog.ts';

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
  leases: Leases;
  watchdog: Watchdog;
  policy: RetryPolicy;
}

/**
 * The job, from the claim to the pushed manifest: prepare, build, push by digest, hand over to the registrar. Every write
 * names the fence; an attempt that lost its build throws away what it has.
 */
export async function runBuild(deps: RunBuildDeps, { buildId, attempt }: QueuePayload<'image-build'>): Promise<void> {
  const { db, engine, log } = deps;
  crashPoint('build-fetched');
  const claimedAtMs = performance.now();
  const build = await claimBuild(db, buildId, attempt, deps.worker);
  if (!build) return;
  crashPoint('build-claimed');
  let quietMs: (() => number) | undefined;
  const lease = deps.leases.hold({ kind: 'build', id: build.id, fence: build.fence }, claimedAtMs, () =>
    phases.current === 'build' ? quietMs?.() : undefined,
  );
  const watch = deps.watchdog.watch(build.id, claimedAtMs);
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
    const buildLog = openBuildLog(db, build, redaction, cancelled);
    quietMs = () => buildLog.quietMs();
    const onLine = (line: string) => buildLog.write(line);
    const contextDir = join(workDir, 'context');
    const run = { workDir, signal: lease.signal, watch };
    const patiently = <T>(work: () => Promise<T>) =>
      withRegistryPatience(work, { signal: lease.signal, say: (line) => buildLog.write(line) });

    await phases.run(
      'prepare',
      'build',
      () => patiently(() => prepare(deps, build, first.target, contextDir)),
      cancelled,
    );
    await move('assigned', 'running', 'building');
    try {
      const image = await phases.run(
        'build',
        'push',
        () => {
          const { Dockerfile } = build.spec.BuildConfig;
          const parsed = parseDockerfile(Dockerfile);
          const request = { ...run, id: name, dockerfile: Dockerfile, parsed, contextDir, registries: first.bases };
          return patiently(() =>
            engine.build({
              ...request,
              onLine(line) {
                crashPoint('step-running');
                return onLine(line);
              },
            }),
          );
        },
        cancelled,
      );
      crashPoint('image-built');
      await move('running', 'publishing', 'pushing');
      const { digest } = await phases.run(
        'push',
        'verify',
        () =>
          // The image stays in the store meanwhile: only the push is done again.
          patiently(async () => {
            // Taken anew: a token may have run out, or a password been changed, while the build ran.
            const { target } = await accessForBuild(db, deps.sealer, build);
            redaction.add([target]);
            return engine.push(image, {
              ...run,
              registry: target,
              repository: build.repository,
              onLine(line) {
                crashPoint('push-begun');
                return onLine(line);
              },
            });
          }),
        cancelled,
      );
      crashPoint('image-pushed');
      await writeLast(buildLog, `pushed ${build.host}/${build.repository}@${digest}`);
      await handOver(deps, build, digest);
      crashPoint('handed-over');
    } finally {
      await buildLog.flush();
      await engine.discard({ id: name });
    }
  } catch (error) {
    await settleAttempt(deps, build, lease, { phase: phases.current, redaction, error });
  } finally {
    lease.release();
    watch.release();
    await rm(workDir, { recursive: true, force: true });
    deps.signals.send('dispatch', everyone);
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

async function handOver({ db, relay, signals }: RunBuildDeps, build: Build, digest: string): Promise<void> {
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
  // The slot is as good as free.
  signals.send('dispatch', everyone);
}
