import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '@kiln/domain';
import type { BuildRequest, Engine } from '../engine.ts';
import { openRepository } from '../git/repository.ts';
import { abilities, withoutRoot } from '../jail/abilities.ts';
import { inside } from '../jail/bundle.ts';
import { killGroup, makeGroup, processesBelow, removeGroup, unknownUsage, usageOf } from '../jail/cgroups.ts';
import { prepareHost } from '../jail/host.ts';
import { idsMin, rootOf } from '../jail/ids.ts';
import { gatewayHost } from '../jail/listener.ts';
import { idsHere, isRootOfMachine } from '../jail/user-namespace.ts';
import { buildOnSite } from './build-on-site.ts';
import { daemonVersion } from './daemon-version.ts';
import { wordsOf } from './diagnosis.ts';
import { isFull, watchDisk } from './disk-watch.ts';
import type { Progress } from './progress.ts';
import { openRooms, type RoomsOptions } from './rooms.ts';
import type { Site } from './site.ts';
import { solveOptionsOf } from './solve.ts';
import { groupOf, groupOptions } from './step-groups.ts';

export interface BuildkitOptions extends RoomsOptions {
  /** Ways out beside the machine's own, each as `device=gateway`. */
  ways: readonly string[];
}

/** How long a build that is stopped may take to end by itself. */
const stopMs = 1000;
// A step's own runtime runs in its group, too.
const runtimePids = 32;

/** The engine on BuildKit; each owner's builds for one network share a room, which is kept warm. */
export function openBuildkit(options: BuildkitOptions): Engine {
  const { storeDir, engine, ways } = options;
  const rooms = openRooms(options);

  const enter = async (request: BuildRequest, progress: Progress): Promise<Site> => {
    const lease = await rooms.take(request.owner, request.network);
    const { room, connection } = lease;
    const group = `${room.group}/${groupOf(request.id)}`;
    const { limits } = request;
    // Of builds that run at once, each may be shown what another one was refused.
    if (lease.isAlone()) void room.forgetRefused().catch(() => undefined);
    try {
      if (isRootOfMachine) await makeGroup(group, { ...limits, pids: limits.pids + runtimePids }, rootOf(room.number));
    } catch (error) {
      // Or the room would count as used for ever.
      lease.release();
      throw error;
    }
    const entry = room.door.open(request.id, request.registry);
    request.watch?.started(room.holder);
    const registry = { host: gatewayHost, build: request.id, password: room.door.password, isPlain: true };
    return {
      connection,
      ended: room.ended,
      solve: solveOptionsOf(request, progress, {
        registry,
        forceHostNetwork: engine.daemon === 'dockerd',
        frontendOptions: isRootOfMachine ? groupOptions(request.id) : {},
      }),
      // A folder has the disk of everything else: what is added to it cannot be told.
      watchDisk: (limitBytes, onOver) => watchDisk(room, isRootOfMachine ? limitBytes : Infinity, onOver),
      endSteps: () => endSteps(group),
      usage: () => (isRootOfMachine ? usageOf(group) : Promise.resolve(unknownUsage)),
      listRefused: () => room.listRefused(),
      hasOwnDisk: isRootOfMachine,
      isHostFull: () => isFull(storeDir),
      condemn: () => lease.condemn(),
      async leave() {
        entry.close();
        await removeGroup(group);
        request.watch?.ended(room.holder);
        lease.release();
      },
    };
  };

  return {
    name: 'buildkit',
    async check() {
      try {
        if (process.getuid?.() !== 0)
          throw new Error(
            'it needs root, of the machine or of a user namespace, to make namespaces and mounts for its rooms',
          );
        if (idsHere !== undefined && idsHere < idsMin)
          throw new Error(`its user namespace has ${idsHere} ids, and images need ${idsMin}`);
        await prepareHost(ways);
        // With a network, so that its firewall is tried, too.
        const nowhere = { resolvers: [], allow: [], deny: ['0.0.0.0/0'], only: [], connections: 16, way: 0 };
        const lease = await rooms.take('kiln', nowhere);
        const version = await daemonVersion(lease.connection, {
          daemon: engine.daemon,
          at: { socket: lease.room.socket },
        });
        lease.condemn();
        return { version, jail: engine.daemon, enforces: isRootOfMachine ? [...abilities] : [...withoutRoot] };
      } catch (error) {
        throw new Fault('EngineFailed', `BuildKit cannot work here: ${wordsOf(error)}`, {}, error);
      }
    },
    build: (request) => buildOnSite(request, (progress) => enter(request, progress)),
    async openGit({ id, owner, network, registry, signal }) {
      const lease = await rooms.take(owner, network);
      const { room } = lease;
      const entry = room.door.open(id, registry);
      const ended = AbortSignal.any([signal, room.ended]);
      const gateway = `http://kiln:${room.door.password}@${gatewayHost}`;
      return {
        fetch: (number, commit) =>
          openRepository(
            {
              exec: (program, until) => room.exec(program, until),
              ended: room.ended,
              folder: inside.store,
              hasOwnDisk: isRootOfMachine,
            },
            { url: `${gateway}/v2/${id}/git/${number}`, commit, signal: ended },
          ),
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

/** Waits a moment for the daemon to end a build's steps, and ends what is left of them. */
async function endSteps(group: string): Promise<void> {
  const untilMs = performance.now() + stopMs;
  while ((await processesBelow(group)) > 0 && performance.now() < untilMs) await sleep(20);
  await killGroup(group);
}
