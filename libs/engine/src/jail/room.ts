import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, type NetworkRules } from '@kiln/domain';
import { isListening } from '@kiln/kit';
import { bundleOf, engineMount } from './bundle.ts';
import { delegateGroup, makeRoomForBuilds, processesOf, removeGroup, type RoomLimits } from './cgroups.ts';
import { hostEnvironment } from './command.ts';
import { type Door, openDoor } from './door.ts';
import { execInside, type RoomProgram } from './exec.ts';
import type { EngineRoot } from './engine-root.ts';
import { idsOf, rootOf } from './ids.ts';
import { listenInside } from './listener.ts';
import { connectNetwork, forgetRefused, listRefused, type RefusedDestination } from './network.ts';
import { isRootOfMachine } from './user-namespace.ts';
import { untilReleased, volumes } from './volume.ts';

/** What a daemon is started with: its command, and the files that its settings are. */
export interface DaemonSettings {
  command: readonly string[];
  environment?: Record<string, string>;
  files: Record<string, string>;
}

export interface RoomOptions {
  /** Number among the rooms of this machine: ids, addresses and control groups follow from it. */
  number: number;
  /** Folder of this run; removed when the room ends. */
  folder: string;
  /** What the daemon keeps everything in. */
  volume: string;
  engine: EngineRoot;
  settings: DaemonSettings;
  /** Runs the bundle: runc, or whatever takes the same arguments. */
  runtime: string;
  group: string;
  limits: RoomLimits;
  network: NetworkRules | 'none';
}

/** A daemon in a jail that lasts: several builds, one after the other and at once, use it. */
export interface Room {
  readonly number: number;
  /** Process that holds it up: when that is killed, the kernel ends everything in the room. */
  readonly holder: number;
  readonly group: string;
  /** Where the daemon is reached. */
  readonly socket: string;
  readonly door: Door;
  /** Aborted once the daemon has ended, or was ended. */
  readonly ended: AbortSignal;
  /** What the daemon printed last. */
  lastWords(): string;
  /** Runs a program more in it, beside the daemon; the signal ends it. */
  exec(program: RoomProgram, signal: AbortSignal): Promise<ChildProcess>;
  /** What is left of its disk. */
  space(): Promise<{ freeBytes: number; freeInodes: number }>;
  /** What its firewall has refused since that was forgotten last. */
  listRefused(): Promise<RefusedDestination[]>;
  forgetRefused(): Promise<void>;
  /** Ends it; resolves when nothing of it is left but its volume. */
  close(): Promise<void>;
}

/** How long a daemon may take until it answers. */
const startMsMax = 60_000;
const wordsMax = 8000;

/** Another builder of this machine has a room of this number. */
export class NumberTaken extends Error {}
const taken = 75;
/** One lock for each number of a room, which all builders of a machine share; in it, the volume that has that number. */
const locksDir = '/run/kiln-rooms';
/** A socket's path may have a hundred characters only. */
const socketsDir = '/run/kiln-sockets';

// The volume and the engine root are mounted where only the room's own processes see them, and go with the last of them.
const mounting = `${volumes.mount.join(' ')} "$1" "$2" && mount -n --rbind "$4" ${engineMount}`;
const start = `echo "$1" > "$3" && ${mounting} && shift 4 && exec "$@"`;

/** Whether the volume of another builder has a number: the ids of its files follow from that. */
export async function isNumberInUse(number: number): Promise<boolean> {
  const volume = (await readFile(join(locksDir, String(number)), 'utf8').catch(() => '')).trim();
  return volume !== '' && existsSync(volume);
}

export const groupsOf = (storeDir: string): string =>
  `kiln/${createHash('sha256').update(storeDir).digest('hex').slice(0, 12)}`;

const socketsOf = (group: string): string => join(socketsDir, group.replaceAll('/', '-'));

/** Removes the folders of sockets of rooms that ended without their builder. */
export async function removeSockets(storeDir: string): Promise<void> {
  const prefix = `${groupsOf(storeDir).replaceAll('/', '-')}-`;
  for (const it of await readdir(socketsDir).catch(() => []))
    if (it.startsWith(prefix)) await rm(join(socketsDir, it), { recursive: true, force: true });
}

/** What a process is called in its own namespace of processes, and in each around that one, the nearest last. */
async function numbersOf(pid: number | 'self'): Promise<number[]> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return (/^NSpid:\s*(.*)$/m.exec(status)?.[1] ?? '').split(/\s+/).map(Number);
}

/** Processes that any thread of a process has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = threads.map((it) => readFile(`/proc/${pid}/task/${it}/children`, 'utf8').catch(() => ''));
  return (await Promise.all(lists)).join(' ').split(' ').filter(Boolean).map(Number);
}

/**
 * Process with number 1 of the room, as this one sees it; undefined while there is none. It is in a namespace within the
 * holder's.
 */
async function initOf(holder: number, depth?: number): Promise<number | undefined> {
  const wanted = depth ?? (await numbersOf('self')).length + 2;
  for (const pid of await childrenOf(holder)) {
    const numbers = await numbersOf(pid);
    if (numbers.length === wanted && numbers.at(-1) === 1) return pid;
    const found = await initOf(pid, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Starts a room, and waits until its daemon listens.
 * @throws Fault EngineFailed with the daemon's last words; NumberTaken
 */
export async function startRoom(options: RoomOptions): Promise<Room> {
  const { number, folder, group, network, settings } = options;
  const at = (name: string) => join(folder, name);
  await rm(folder, { recursive: true, force: true });
  for (const it of ['store', 'settings', 'bundle']) await mkdir(at(it), { recursive: true, mode: 0o755 });
  await mkdir(locksDir, { recursive: true, mode: 0o700 });
  await mkdir(engineMount, { recursive: true, mode: 0o755 });
  const sockets = socketsOf(group);
  await rm(sockets, { recursive: true, force: true });
  await mkdir(sockets, { recursive: true, mode: 0o700 });
  await chown(sockets, rootOf(number), rootOf(number));
  for (const [name, text] of Object.entries(settings.files))
    await writeFile(at(`settings/${name}`), text, { mode: 0o755 });
  const resolvers = network === 'none' ? [] : network.resolvers;
  await writeFile(at('resolv.conf'), resolvers.map((it) => `nameserver ${it}\n`).join(''));
  const bundle = bundleOf({
    ...options,
    ...settings,
    ids: idsOf(number),
    group: isRootOfMachine ? group : undefined,
    folders: { store: at('store'), sockets, settings: at('settings'), resolvers: at('resolv.conf') },
  });
  await writeFile(at('bundle/config.json'), JSON.stringify(bundle, null, 2));

  await untilReleased(options.volume);
  const lock = join(locksDir, String(number));
  const child = spawn(
    'flock',
    [
      '--nonblock', '--no-fork', '--conflict-exit-code', String(taken), lock,
      'setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc',
      '/bin/sh', '-c', start, 'room', options.volume, at('store'), lock, options.engine.path,
      options.runtime, '--root', at('runtime'), 'run', '--bundle', at('bundle'), `kiln-${number}`,
    ],
    { cwd: folder, env: hostEnvironment, stdio: ['ignore', 'pipe', 'pipe'] },
  ); // prettier-ignore
  let words = '';
  for (const it of [child.stdout, child.stderr])
    it.on('data', (bytes: Buffer) => (words = (words + bytes.toString()).slice(-wordsMax)));
  const ending = new AbortController();
  const gone = new Promise<void>((resolve) => {
    const end = (): void => {
      ending.abort(new Fault('EngineFailed', `the daemon of the room has ended: ${lastWords()}`));
      resolve();
    };
    child.on('error', (error) => {
      words += `\n${error.message}`;
      end();
    });
    child.on('close', (code) => {
      if (code === taken) ending.abort(new NumberTaken(`there is another room ${number}`));
      end();
    });
  });
  const lastWords = (): string => words.trim().split('\n').slice(-3).join(' / ').slice(-1000);
  let door: Door | undefined;
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
    await removeGroup(group);
    await door?.close();
    for (const it of [folder, sockets]) await rm(it, { recursive: true, force: true });
  };

  try {
    const untilMs = performance.now() + startMsMax;
    const waitFor = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
      for (;;) {
        ending.signal.throwIfAborted();
        const found = await look();
        if (found !== undefined && found !== false) return found;
        if (performance.now() > untilMs) throw new Fault('EngineFailed', `the room did not start: ${lastWords()}`);
        await sleep(5);
      }
    };
    const init = await waitFor(() => initOf(child.pid ?? 0));
    if (isRootOfMachine) {
      await waitFor(async () => (await processesOf(group)).includes(init));
      await delegateGroup(group, rootOf(number));
      await makeRoomForBuilds(group);
    }
    await connectNetwork(number, init, network);
    door = openDoor(await listenInside(['nsenter', '-t', String(init), '-n']));
    const socket = join(sockets, 'engine');
    await waitFor(() => isListening({ path: socket }));
    const holder = child.pid ?? 0;
    return {
      number,
      holder,
      group,
      socket,
      door,
      ended: ending.signal,
      lastWords,
      exec: (program, signal) => execInside({ holder, folder, runtime: options.runtime, number }, program, signal),
      async space() {
        const { bavail, bsize, ffree } = await statfs(`/proc/${holder}/root${at('store')}`);
        return { freeBytes: bavail * bsize, freeInodes: ffree };
      },
      listRefused: () => (network === 'none' ? Promise.resolve([]) : listRefused(init)),
      forgetRefused: () => (network === 'none' ? Promise.resolve() : forgetRefused(init)),
      close,
    };
  } catch (error) {
    await close();
    if (error instanceof Fault || error instanceof NumberTaken) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Fault('EngineFailed', `the room could not be made: ${why}; ${lastWords()}`, {}, error);
  }
}
