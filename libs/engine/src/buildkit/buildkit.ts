import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '@kiln/domain';
import { type BuildRequest, type BuiltImage, type Engine } from '../engine.ts';
import { openRepository } from '../git/repository.ts';
import { abilities } from '../jail/abilities.ts';
import { killGroup, makeGroup, processesBelow, removeGroup, usageOf } from '../jail/cgroups.ts';
import { prepareHost } from '../jail/host.ts';
import { rootOf } from '../jail/ids.ts';
import { gatewayHost } from '../jail/listener.ts';
import { daemonVersion } from './daemon-version.ts';
import {
  diagnoseDockerfile,
  diagnosePush,
  diagnoseStep,
  diskFull,
  plainWords,
  type StepsReport,
  wordsOf,
} from './diagnosis.ts';
import { watchDisk } from './disk-watch.ts';
import { Progress } from './progress.ts';
import { openRooms, type RoomLease, type RoomsOptions } from './rooms.ts';
import { groupOf } from './step-groups.ts';
import { type Solve, type SolveOptions, startSolve } from './solve.ts';

export interface BuildkitOptions extends RoomsOptions {
  /** Ways out beside the machine's own, each as `device=gateway`. */
  ways: readonly string[];
}

/** How long a build that is stopped may take to end by itself. */
const stopMs = 1000;
// A step's own runtime runs in its group, too.
const runtimePids = 32;

/** Whether a disk has no room left for what a daemon writes. */
async function isFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < 16 << 20;
}

/** A build in its room, from its group to its door. */
interface Site {
  lease: RoomLease;
  group: string;
  /** What the daemon is told for it. */
  solve: SolveOptions;
  leave(): Promise<void>;
}

/** The engine on BuildKit; each owner's builds for one network share a room, which is kept warm. */
export function openBuildkit(options: BuildkitOptions): Engine {
  const { storeDir, engine, ways } = options;
  const rooms = openRooms(options);

  const enter = async (request: BuildRequest, progress: Progress): Promise<Site> => {
    const lease = await rooms.take(request.owner, request.network);
    const { room } = lease;
    const group = `${room.group}/${groupOf(request.id)}`;
    const { limits } = request;
    // Of builds that run at once, each may be shown what another one was refused.
    if (lease.isAlone()) void room.forgetRefused().catch(() => undefined);
    try {
      await makeGroup(group, { ...limits, pids: limits.pids + runtimePids }, rootOf(room.number));
    } catch (error) {
      // Or the room would count as used for ever.
      lease.release();
      throw error;
    }
    const entry = room.door.open(request.id, request.registry);
    request.watch?.started(room.holder);
    return {
      lease,
      group,
      solve: {
        dockerfile: request.dockerfile,
        parsed: request.parsed,
        bases: request.bases,
        registry: { host: gatewayHost, build: request.id, password: room.door.password },
        secrets: request.secrets ?? [],
        context: request.context,
        namedContexts: request.namedContexts ?? new Map(),
        platform: request.platform,
        forceHostNetwork: engine.daemon === 'dockerd',
        cached: request.layerCache,
        compression: request.compression,
        buildArgs: request.buildArgs ?? {},
        labels: request.labels ?? {},
        target: request.target,
        progress,
      },
      async leave() {
        entry.close();
        await removeGroup(group);
        request.watch?.ended(room.holder);
        lease.release();
      },
    };
  };

  /** Runs the steps in their group, and sees how near they came to their limits. */
  const runSteps = async (request: BuildRequest, { lease, group, solve }: Site): Promise<Solve> => {
    const { limits, signal } = request;
    const { room, connection } = lease;
    const clock = new AbortController();
    const timer = limits.seconds > 0 ? setTimeout(() => clock.abort(), limits.seconds * 1000) : undefined;
    const disk = await watchDisk(room, limits.diskBytes, () => clock.abort());
    const running = AbortSignal.any([signal, clock.signal, room.ended]);
    try {
      return await startSolve(connection, solve, running);
    } catch (error) {
      await endSteps(group);
      await solve.progress.stop();
      signal.throwIfAborted();
      room.ended.throwIfAborted();
      throw await explain(request, solve.progress, error, {
        ...(await usageOf(group)),
        timedOut: clock.signal.aborted && !disk.isOver(),
        disk: disk.isOver() ? 'over its limit' : disk.wasFull() ? 'full' : 'enough',
        refused: await room.listRefused(),
        hostFull: await isFull(storeDir),
      });
    } finally {
      clearTimeout(timer);
      disk.close();
    }
  };

  const explain = async (request: BuildRequest, progress: Progress, error: unknown, report: StepsReport) => {
    for (const it of report.refused)
      await request.onLine(
        `kiln: refused: ${it.address} port ${it.port}/${it.protocol}, which this build may not reach`,
        false,
        0,
      );
    if (error instanceof Fault) return error;
    return diagnose(request, progress, error, report);
  };

  return {
    name: 'buildkit',
    async check() {
      try {
        if (process.getuid?.() !== 0) throw new Error('it needs root, to make namespaces and mounts for its rooms');
        await prepareHost(ways);
        // With a network, so that its firewall is tried, too.
        const nowhere = { resolvers: [], allow: [], deny: ['0.0.0.0/0'], only: [], connections: 16, way: 0 };
        const lease = await rooms.take('kiln', nowhere);
        const version = await daemonVersion(lease, engine.daemon);
        lease.condemn();
        return { version, jail: engine.daemon, enforces: [...abilities] };
      } catch (error) {
        throw new Fault('EngineFailed', `BuildKit cannot work here: ${wordsOf(error)}`, {}, error);
      }
    },
    async build(request) {
      const progress = new Progress(request.parsed, request);
      const site = await enter(request, progress);
      let solve: Solve | undefined;
      try {
        solve = await runSteps(request, site);
      } catch (error) {
        // A daemon that fails by itself may do so for what is in its store.
        if (error instanceof Fault && error.code === 'EngineFailed') site.lease.condemn();
        await site.leave();
        throw error;
      }
      return imageOf(request, site, solve, () => isFull(storeDir));
    },
    async openGit({ id, owner, network, registry, signal }) {
      const lease = await rooms.take(owner, network);
      const entry = lease.room.door.open(id, registry);
      const ended = AbortSignal.any([signal, lease.room.ended]);
      return {
        fetch: (number, commit) =>
          openRepository(lease.room, { path: `/v2/${id}/git/${number}`, commit, signal: ended }),
        close() {
          entry.close();
          lease.release();
        },
      };
    },
    usage: rooms.usage,
    forget: rooms.forget,
    reap: rooms.reap,
    close: rooms.close,
  };
}

/** An image whose steps have run in `first`; sent by that, and by solving it again from the cache when it was not. */
function imageOf(request: BuildRequest, site: Site, first: Solve, isHostFull: () => Promise<boolean>): BuiltImage {
  const { signal } = request;
  let solve: Solve | undefined = first;
  return {
    async push(compression = request.compression) {
      const silent = new Progress(request.parsed, { onLine: () => Promise.resolve() });
      const { room, connection } = site.lease;
      const running = AbortSignal.any([signal, room.ended]);
      try {
        if (compression !== request.compression) {
          await solve?.abandon();
          solve = undefined;
        }
        // What has run a moment ago, though others' layers be not used.
        const again = { ...site.solve, compression, cached: true, progress: silent };
        solve ??= await startSolve(connection, again, running);
        return await solve.send();
      } catch (error) {
        signal.throwIfAborted();
        room.ended.throwIfAborted();
        throw diagnosePush(error, await isHostFull());
      } finally {
        solve = undefined;
      }
    },
    async discard() {
      await solve?.abandon();
      solve = undefined;
      await site.leave();
    },
  };
}

/** Waits a moment for the daemon to end a build's steps, and ends what is left of them. */
async function endSteps(group: string): Promise<void> {
  const untilMs = performance.now() + stopMs;
  while ((await processesBelow(group)) > 0 && performance.now() < untilMs) await sleep(20);
  await killGroup(group);
}

function diagnose({ parsed, limits }: BuildRequest, progress: Progress, error: unknown, report: StepsReport): Fault {
  const words = wordsOf(error);
  if (report.hostFull) return diskFull(words, progress.tailOf());
  const { failed } = progress;
  const step = failed && parsed.steps[failed.number - 1];
  if (failed && step) return diagnoseStep(step, failed.error, progress.tailOf(failed.number), report, limits);
  if (report.timedOut || report.disk !== 'enough') {
    const at = progress.running();
    const found = at === undefined ? undefined : parsed.steps[at - 1];
    if (at !== undefined && found) return diagnoseStep(found, words, progress.tailOf(at), report, limits);
  }
  return (
    diagnoseDockerfile(error, parsed.steps) ??
    new Fault('EngineFailed', `the engine failed: ${plainWords(words)}`, { logTail: progress.tailOf() }, error)
  );
}
