import { createHash, randomInt } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkRules } from '@kiln/domain';
import type { EngineUsage } from '../engine.ts';
import { memoryOf, removeGroup, type RoomLimits } from '../jail/cgroups.ts';
import type { EngineRoot } from '../jail/engine-root.ts';
import { roomsMax } from '../jail/ids.ts';
import { groupsOf, isNumberInUse, NumberTaken, removeSockets, type Room, startRoom } from '../jail/room.ts';
import { askDaemon, connect, type Connection } from './connection.ts';
import { daemonSettings } from './daemon-settings.ts';
import { openStores, volumeOf } from './stores.ts';

export interface RoomsOptions {
  storeDir: string;
  engine: EngineRoot;
  runtime: string;
  /** Rooms that are kept warm beside those that are in use. */
  warmMax: number;
  /** How long a room without a build is kept. */
  idleMs: number;
  /** A daemon that has not answered for so long never will; 15 seconds when left out. */
  silentMs?: number;
  /** What the processes of rooms without a build may have of the memory, together. */
  warmBytesMax: number;
  limits: RoomLimits;
  /** What the daemon of one room keeps of earlier builds. */
  cacheBytes: number;
  /** What the builds that are in a room at once may add. */
  workBytes: number;
  /** What the files of all rooms may take of the disk; those unused longest go first. */
  storeBytes: number;
}

/** A daemon that runs, and the way to speak to it. */
export interface WarmRoom {
  room: Room;
  connection: Connection;
}

export interface RoomLease extends WarmRoom {
  /** Whether no other build is in it. */
  isAlone(): boolean;
  /** Others may use it. */
  release(): void;
  /** Its store is not to be trusted any more: it goes once the builds in it have ended. */
  condemn(): void;
}

export interface Rooms {
  /**
   * A room of an owner for a network, which no other owner ever shares.
   * @throws Fault EngineFailed when there is none and none can be started
   */
  take(owner: string, network: NetworkRules | 'none'): Promise<RoomLease>;
  usage: () => Promise<EngineUsage>;
  /** Removes what an owner's daemons keep, once no build uses it. */
  forget: (owner: string) => Promise<void>;
  /** Removes what rooms left that ended without their builder; only before the first one is taken. */
  reap: () => Promise<void>;
  close: () => Promise<void>;
}

interface Entry {
  owner: string;
  folder: string;
  started: Promise<WarmRoom>;
  users: number;
  condemned: boolean;
  idle: NodeJS.Timeout | undefined;
  usedAtMs: number;
  /** Once it is being ended; nobody may take it any more. */
  stopping: Promise<void> | undefined;
}

const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24);

/** Rooms of one builder. Their folders outlast them: in each, a file system with what its daemon keeps. */
export function openRooms(options: RoomsOptions): Rooms {
  const { storeDir, engine, warmMax, idleMs, silentMs = 15_000 } = options;
  const roomsDir = join(storeDir, 'rooms');
  const stores = openStores(roomsDir, options.cacheBytes + options.workBytes);
  const counts = { warmStarts: 0, coldStarts: 0, storesLost: 0 };
  const entries = new Map<string, Entry>();
  // Other builders of the machine begin elsewhere.
  const firstNumber = randomInt(roomsMax);
  const reserved = new Set<number>();

  const freeNumber = async (): Promise<number> => {
    const used = new Set([...(await stores.numbers()), ...reserved]);
    for (let tried = 0; tried < roomsMax; tried += 1) {
      const number = (firstNumber + tried) % roomsMax;
      if (!used.has(number) && !(await isNumberInUse(number))) {
        reserved.add(number);
        return number;
      }
    }
    throw new Error(`all ${roomsMax} numbers of rooms are taken`);
  };

  const start = async (key: string, network: NetworkRules | 'none', entry: Entry): Promise<WarmRoom> => {
    for (let tries = 1; ; tries += 1) {
      const found = await stores.find(key);
      const number = found?.number ?? (await freeNumber());
      entry.folder = await stores.prepare(number, key, entry.owner);
      reserved.delete(number);
      try {
        const room = await startRoom({
          ...options,
          number,
          folder: join(entry.folder, 'run'),
          volume: volumeOf(entry.folder),
          settings: daemonSettings(engine, options.cacheBytes),
          group: `${groupsOf(storeDir)}/${number}`,
          network,
        });
        const connection = connect({ daemon: engine.daemon, at: { socket: room.socket } });
        await connection.info().catch(async (error: unknown) => {
          connection.close();
          await room.close();
          throw error;
        });
        return { room, connection };
      } catch (error) {
        const isTaken = error instanceof NumberTaken && tries < 20;
        // Once more with what is in the store; then without it, since that may be what its daemon cannot live with.
        if (found && !isTaken && tries === 1) continue;
        await stores.remove(entry.folder);
        if (found) counts.storesLost += 1;
        if (isTaken) reserved.add(number);
        else if (!found) throw error;
      }
    }
  };

  const stop = (key: string, entry: Entry): Promise<void> => {
    clearTimeout(entry.idle);
    entry.stopping ??= (async () => {
      const warm = await entry.started.catch(() => undefined);
      warm?.connection.close();
      await warm?.room.close();
      // What cannot be removed now is found by the next look at what all stores take.
      if (entry.condemned || options.cacheBytes === 0) await stores.remove(entry.folder).catch(() => undefined);
      else if (warm) await stores.settle(entry.folder);
      entries.delete(key);
      await stores
        .keepWithin(options.storeBytes, new Set([...entries.values()].map((it) => it.folder)))
        .catch(() => undefined);
    })();
    return entry.stopping;
  };

  /** Ends rooms that nobody uses, those first that were not used for the longest time, until the rest is within bounds. */
  const trim = async (): Promise<void> => {
    const unused = [...entries].filter(([, it]) => it.users === 0 && !it.stopping);
    unused.sort(([, a], [, b]) => b.usedAtMs - a.usedAtMs);
    let bytes = 0;
    for (const [at, [key, entry]] of unused.entries()) {
      const warm = await entry.started.catch(() => undefined);
      bytes += warm ? await memoryOf(warm.room.group) : 0;
      if ((at >= warmMax || bytes > options.warmBytesMax) && entry.users === 0) void stop(key, entry);
    }
  };

  const release = (key: string, entry: Entry): void => {
    entry.users -= 1;
    entry.usedAtMs = performance.now();
    if (entry.users > 0 || entry.stopping) return;
    if (entry.condemned || options.cacheBytes === 0) return void stop(key, entry);
    entry.idle = setTimeout(() => void stop(key, entry), idleMs);
    entry.idle.unref();
    void trim();
  };

  const open = (key: string, owner: string, network: NetworkRules | 'none'): Entry => {
    const entry: Entry = {
      owner, folder: '', started: Promise.reject(new Error('not started')), users: 0, condemned: false, idle: undefined,
      usedAtMs: 0, stopping: undefined,
    }; // prettier-ignore
    entry.started.catch(() => undefined);
    entries.set(key, entry);
    entry.started = start(key, network, entry);
    entry.started.then(
      (warm) => {
        warm.room.ended.addEventListener('abort', () => void stop(key, entry));
        void watch(key, entry, warm);
      },
      () => void stop(key, entry),
    );
    return entry;
  };

  /** Ends a room whose daemon does not answer: its builds have failed by that. */
  const endSilent = (key: string, entry: Entry): Promise<void> => {
    entry.condemned = true;
    counts.storesLost += 1;
    return stop(key, entry);
  };

  const watch = async (key: string, entry: Entry, warm: WarmRoom): Promise<void> => {
    while (!entry.stopping) {
      await sleep(silentMs / 3, undefined, { ref: false });
      if (
        entry.users > 0 &&
        !entry.stopping &&
        (await askDaemon(warm.connection, silentMs)) !== undefined &&
        !entry.stopping
      )
        await endSilent(key, entry);
    }
  };

  return {
    async take(owner, network) {
      const key = short(JSON.stringify([owner, network]));
      for (;;) {
        // One that is ending has the folder.
        for (let old = entries.get(key); old && (old.stopping ?? old.condemned); old = entries.get(key))
          await (old.stopping ?? sleep(20));
        const known = entries.get(key);
        const entry = known ?? open(key, owner, network);
        entry.users += 1;
        clearTimeout(entry.idle);
        let held = true;
        const letGo = (): void => {
          if (held) release(key, entry);
          held = false;
        };
        try {
          const warm = await entry.started;
          if (known && (await askDaemon(warm.connection, silentMs)) !== undefined) {
            letGo();
            if (!entry.stopping) await endSilent(key, entry);
            continue;
          }
          if (known) counts.warmStarts += 1;
          else counts.coldStarts += 1;
          await stores.touch(entry.folder);
          const condemn = (): void => {
            entry.condemned = true;
            letGo();
          };
          return { ...warm, isAlone: () => entry.users === 1, release: letGo, condemn };
        } catch (error) {
          letGo();
          throw error;
        }
      }
    },
    async usage() {
      const caches = new Map<string, { owner: string; bytes: number; usedAt: Date }>();
      for (const { owner, bytes, usedAt } of await stores.list()) {
        const known = caches.get(owner);
        caches.set(owner, {
          owner,
          bytes: bytes + (known?.bytes ?? 0),
          usedAt: known && known.usedAt > usedAt ? known.usedAt : usedAt,
        });
      }
      return {
        ...counts,
        rooms: entries.size,
        busy: [...entries.values()].filter((it) => it.users > 0).length,
        caches: [...caches.values()].sort((a, b) => b.bytes - a.bytes),
      };
    },
    async forget(owner) {
      const running = [...entries].filter(([, it]) => it.owner === owner);
      for (const [key, entry] of running) {
        entry.condemned = true;
        if (entry.users === 0) await stop(key, entry);
      }
      const used = new Set(running.map(([, it]) => it.folder));
      for (const it of await stores.list())
        if (it.owner === owner && !used.has(it.folder)) await stores.remove(it.folder);
    },
    async reap() {
      await mkdir(roomsDir, { recursive: true, mode: 0o700 });
      await removeGroup(groupsOf(storeDir));
      await removeSockets(storeDir);
      // What an earlier version's engine kept.
      for (const it of await readdir(storeDir))
        if (it !== 'rooms') await rm(join(storeDir, it), { recursive: true, force: true });
      for (const { folder, number } of await stores.list()) {
        await rm(join(folder, 'run'), { recursive: true, force: true });
        if (!Number.isInteger(number)) await stores.remove(folder);
      }
    },
    async close() {
      await Promise.all([...entries].map(([key, entry]) => stop(key, entry)));
      await removeGroup(groupsOf(storeDir));
    },
  };
}
