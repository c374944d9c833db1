import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, isIP, type Server } from 'node:net';
import { join } from 'node:path';
import { Fault } from '@kiln/domain';
import type { BuildRequest, Engine } from '../engine.ts';
import { execOutside } from '../git/exec-outside.ts';
import { openRepository } from '../git/repository.ts';
import { unknownUsage } from '../jail/cgroups.ts';
import { type Door, openDoor } from '../jail/door.ts';
import { buildOnSite } from './build-on-site.ts';
import { askDaemon, connect, type DaemonAddress } from './connection.ts';
import { daemonVersion } from './daemon-version.ts';
import { wordsOf } from './diagnosis.ts';
import type { Progress } from './progress.ts';
import type { Site } from './site.ts';
import { solveOptionsOf } from './solve.ts';

export interface FleetOptions {
  /** BuildKits that run elsewhere; each owner's builds go to one of them as long as it answers. */
  daemons: readonly DaemonAddress[];
  /** Where they reach this builder. */
  gateway: URL;
  /** What the gateway shows them, when its address begins with https. */
  certificate?: { cert: string; key: string } | undefined;
  /** Folder of this builder, for repositories that are fetched. */
  dir: string;
  /** A daemon that has not answered for so long never will; 15 seconds when left out. */
  silentMs?: number;
}

const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80);

const nameOf = ({ at }: DaemonAddress): string => ('socket' in at ? at.socket : `${at.host}:${at.port}`);

/** Daemons in the order in which an owner's builds try them: the same first one, as long as that is in the list. */
function orderFor(owner: string, daemons: readonly DaemonAddress[]): DaemonAddress[] {
  const rank = (it: DaemonAddress) =>
    createHash('sha256')
      .update(`${owner}\0${nameOf(it)}`)
      .digest('hex');
  return [...daemons].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

const noWatch = { isOver: () => false, wasFull: () => false, close: () => undefined };

/**
 * The engine on BuildKits that run elsewhere. Their caches are everybody's, and the time of a build is all that is
 * enforced: for trusted tenants only.
 */
export function openFleet({ daemons, gateway, certificate, dir, silentMs = 15_000 }: FleetOptions): Engine {
  const gitDir = join(dir, 'git');
  const isPlain = gateway.protocol === 'http:';
  const doors: { outside?: Promise<Door>; git?: Promise<{ door: Door; port: number }> } = {};
  // A name may stand for any address of this machine.
  const host = gateway.hostname.replace(/^\[|\]$/g, '');
  const outside = () =>
    (doors.outside ??= listen(isIP(host) || host === 'localhost' ? host : '::', portOf(gateway)).then((it) =>
      openDoor(it, isPlain ? undefined : certificate),
    ));
  const git = () =>
    (doors.git ??= listen('127.0.0.1', 0).then((it) => {
      const { port } = it.address() as { port: number };
      return { door: openDoor(it), port };
    }));
  let busy = 0;

  /** Connects to the first daemon that answers. @throws Fault EngineFailed; the signal's reason */
  const reach = async (order: readonly DaemonAddress[], signal: AbortSignal) => {
    const words: string[] = [];
    for (const address of order) {
      const connection = connect(address);
      const stop = () => connection.close();
      signal.addEventListener('abort', stop);
      const why = await askDaemon(connection, silentMs);
      signal.removeEventListener('abort', stop);
      if (why === undefined && !signal.aborted) return { connection, address };
      connection.close();
      signal.throwIfAborted();
      words.push(`${nameOf(address)}: ${wordsOf(why)}`);
    }
    throw new Fault('EngineFailed', `no BuildKit of the fleet answers: ${words.join('; ')}`);
  };

  const enter = async (request: BuildRequest, progress: Progress): Promise<Site> => {
    const door = await outside();
    const { connection } = await reach(orderFor(request.owner, daemons), request.signal);
    const ending = new AbortController();
    const watch = setInterval(() => {
      void askDaemon(connection, silentMs).then((why) => {
        if (why !== undefined)
          ending.abort(new Fault('EngineFailed', 'the BuildKit of this build does not answer any more'));
      });
    }, silentMs / 3);
    const entry = door.open(request.id, request.registry);
    busy += 1;
    const registry = { host: gateway.host, build: request.id, password: door.password, isPlain };
    return {
      connection,
      ended: ending.signal,
      solve: solveOptionsOf(request, progress, {
        registry,
        forceHostNetwork: false,
        frontendOptions: {},
      }),
      watchDisk: () => Promise.resolve(noWatch),
      endSteps: () => Promise.resolve(),
      usage: () => Promise.resolve(unknownUsage),
      listRefused: () => Promise.resolve([]),
      hasOwnDisk: false,
      isHostFull: () => Promise.resolve(false),
      condemn: () => undefined,
      leave() {
        clearInterval(watch);
        entry.close();
        connection.close();
        busy -= 1;
        return Promise.resolve();
      },
    };
  };

  return {
    name: 'buildkit',
    async check() {
      try {
        await outside();
        const { connection, address } = await reach(daemons, new AbortController().signal);
        const version = await daemonVersion(connection, address).finally(() => connection.close());
        return { version, jail: 'none: BuildKits elsewhere', enforces: ['time'] };
      } catch (error) {
        throw new Fault('EngineFailed', `BuildKit cannot be used: ${wordsOf(error)}`, {}, error);
      }
    },
    build: (request) => buildOnSite(request, (progress) => enter(request, progress)),
    async openGit({ id, registry, signal }) {
      const { door, port } = await git();
      const entry = door.open(id, registry);
      const url = (number: number) => `http://kiln:${door.password}@127.0.0.1:${port}/v2/${id}/git/${number}`;
      const place = { exec: execOutside, ended: new AbortController().signal, folder: gitDir, hasOwnDisk: false };
      return {
        fetch: (number, commit) => openRepository(place, { url: url(number), commit, signal }),
        close: () => entry.close(),
      };
    },
    usage: () => Promise.resolve({ rooms: busy, busy, warmStarts: 0, coldStarts: 0, storesLost: 0, caches: [] }),
    forget: () => Promise.resolve(),
    async reap() {
      await rm(gitDir, { recursive: true, force: true });
      await mkdir(gitDir, { recursive: true, mode: 0o700 });
    },
    async close() {
      await (await doors.outside?.catch(() => undefined))?.close();
      await (await doors.git?.catch(() => undefined))?.door.close();
    },
  };
}
