import { createHash, randomInt } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NetworkRules } from '@kiln/domain';
import { removeGroup, type RoomLimits } from '../jail/cgroups.ts';
import { type EngineRoot } from '../jail/engine-root.ts';
import { roomsMax, rootOf } from '../jail/ids.ts';
import { groupsOf, isNumberInUse, NumberTaken, removeSockets, type Room, startRoom } from '../jail/room.ts';
import { makeVolume } from '../jail/volume.ts';
import { connect, type Connection } from './connection.ts';
import { daemonSettings } from './daemon-settings.ts';

export interface RoomsOptions {
  storeDir: string;
  engine: EngineRoot;
  runtime: string;
  /** Rooms that are kept warm beside those that are in use. */
  warmMax: number;
  /** How long a room without a build is kept. */
  idleMs: number;
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
  /** Removes what rooms left that ended without their builder; only before the first one is taken. */
  reap: () => Promise<void>;
  close: () => Promise<void>;
}

interface Entry {
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
  const { storeDir, engine, warmMax, idleMs } = options;
  const roomsDir = join(storeDir, 'rooms');
  const entries = new Map<string, Entry>();
  // Other builders of the machine begin elsewhere.
  const firstNumber = randomInt(roomsMax);
  const reserved = new Set<number>();

  const folders = async () =>
    (await readdir(roomsDir).catch(() => [])).map((it) => {
      const [number = '', key = ''] = it.split('-');
      return { folder: join(roomsDir, it), number: Number(number), key };
    });

  const freeNumber = async (): Promise<number> => {
    const used = new Set([...(await folders()).map((it) => it.number), ...reserved]);
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
      const found = (await folders()).find((it) => it.key === key);
      const number = found?.number ?? (await freeNumber());
      entry.folder = found?.folder ?? join(roomsDir, `${number}-${key}`);
      const volume = join(entry.folder, 'volume');
      await mkdir(entry.folder, { recursive: true, mode: 0o700 });
      const bytes = options.cacheBytes + options.workBytes;
      if (!(await isWhole(volume, bytes))) await makeVolume(volume, bytes, rootOf(number));
      await writeFile(`${volume}.boot`, await bootId());
      reserved.delete(number);
      try {
        const room = await startRoom({
          ...options,
          number,
          folder: join(entry.folder, 'run'),
          volume,
          settings: daemonSettings(engine, options.cacheBytes),
          group: `${groupsOf(storeDir)}/${number}`,
          network,
        });
        const connection = connect(room.socket, engine.daemon);
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
        await rm(entry.folder, { recursive: true, force: true });
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
      if (entry.condemned || options.cacheBytes === 0) await rm(entry.folder, { recursive: true, force: true });
      else if (warm) await rm(join(entry.folder, 'volume.boot'), { force: true });
      entries.delete(key);
      await makeRoomOnDisk();
    })();
    return entry.stopping;
  };

  /** Forgets the stores that were not used for the longest time, until the rest is within bounds. */
  const makeRoomOnDisk = async (): Promise<void> => {
    const inUse = new Set([...entries.values()].map((it) => it.folder));
    const all = await Promise.all(
      (await folders()).map(async ({ folder }) => {
        const found = await stat(join(folder, 'volume')).catch(() => undefined);
        return { folder, bytes: (found?.blocks ?? 0) * 512, at: found?.atimeMs ?? 0 };
      }),
    );
    let bytes = all.reduce((sum, it) => sum + it.bytes, 0);
    for (const it of all.sort((a, b) => a.at - b.at)) {
      if (bytes <= options.storeBytes) return;
      if (inUse.has(it.folder)) continue;
      await rm(it.folder, { recursive: true, force: true });
      bytes -= it.bytes;
    }
  };

  /** Ends the rooms that nobody uses and that were not used for the longest time. */
  const trim = (): void => {
    const unused = [...entries].filter(([, it]) => it.users === 0 && !it.stopping);
    const idle = unused.sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    for (const [key, entry] of idle.slice(0, Math.max(0, idle.length - warmMax))) void stop(key, entry);
  };

  const release = (key: string, entry: Entry): void => {
    entry.users -= 1;
    entry.usedAtMs = performance.now();
    if (entry.users > 0 || entry.stopping) return;
    if (entry.condemned || options.cacheBytes === 0) return void stop(key, entry);
    entry.idle = setTimeout(() => void stop(key, entry), idleMs);
    entry.idle.unref();
    trim();
  };

  const open = (key: string, network: NetworkRules | 'none'): Entry => {
    const entry: Entry = {
      folder: '', started: Promise.reject(new Error('not started')), users: 0, condemned: false, idle: undefined,
      usedAtMs: 0, stopping: undefined,
    }; // prettier-ignore
    entry.started.catch(() => undefined);
    entries.set(key, entry);
    entry.started = start(key, network, entry);
    entry.started.then(
      ({ room }) => room.ended.addEventListener('abort', () => void stop(key, entry)),
      () => void stop(key, entry),
    );
    return entry;
  };

  return {
    async take(owner, network) {
      const key = short(JSON.stringify([owner, network]));
      // One that is ending has the folder.
      for (let old = entries.get(key); old && (old.stopping ?? old.condemned); old = entries.get(key))
        await (old.stopping ?? sleep(20));
      const entry = entries.get(key) ?? open(key, network);
      entry.users += 1;
      clearTimeout(entry.idle);
      let held = true;
      const letGo = (): void => {
        if (held) release(key, entry);
        held = false;
      };
      try {
        const warm = await entry.started;
        await utimes(join(entry.folder, 'volume'), new Date(), new Date());
        const condemn = (): void => {
          entry.condemned = true;
          letGo();
        };
        return { ...warm, isAlone: () => entry.users === 1, release: letGo, condemn };
      } catch (error) {
        letGo();
        throw error;
      }
    },
    async reap() {
      await mkdir(roomsDir, { recursive: true, mode: 0o700 });
      await removeGroup(groupsOf(storeDir));
      await removeSockets(storeDir);
      for (const { folder, number } of await folders()) {
        await rm(join(folder, 'run'), { recursive: true, force: true });
        if (!Number.isInteger(number)) await rm(folder, { recursive: true, force: true });
      }
    },
    async close() {
      await Promise.all([...entries].map(([key, entry]) => stop(key, entry)));
    },
  };
}

const bootId = () => readFile('/proc/sys/kernel/random/boot_id', 'utf8');

/** Whether a volume is there, is large enough, and was not in use when the machine went down. */
async function isWhole(volume: string, bytes: number): Promise<boolean> {
  const found = await stat(volume).catch(() => undefined);
  if (!found || found.size < bytes) return false;
  const boot = await readFile(`${volume}.boot`, 'utf8').catch(() => undefined);
  return boot === undefined || boot === (await bootId());
}
