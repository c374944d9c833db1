import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootOf } from '../jail/ids.ts';
import { volumes } from '../jail/volume.ts';

/** What the daemon of an owner's room keeps: a folder with a volume, which outlasts the room. */
export interface Store {
  folder: string;
  /** Number of the rooms that have it: the ids of its files follow from that. */
  number: number;
  /** What it is for: an owner and a network. */
  key: string;
  owner: string;
  /** What it takes of the disk. */
  bytes: number;
  usedAt: Date;
}

export interface Stores {
  list(): Promise<Store[]>;
  /** Numbers that stores have. */
  numbers(): Promise<number[]>;
  find(key: string): Promise<{ folder: string; number: number } | undefined>;
  /** Makes sure that a store has a whole file system, and notes that it is in use. */
  prepare(number: number, key: string, owner: string): Promise<string>;
  touch(folder: string): Promise<void>;
  /** Notes that nothing writes to it any more. */
  settle(folder: string): Promise<void>;
  remove(folder: string): Promise<void>;
  /** Forgets those that were not used for the longest time, until the rest is within `bytesMax`. */
  keepWithin(bytesMax: number, inUse: ReadonlySet<string>): Promise<void>;
}

export const volumeOf = (folder: string): string => join(folder, 'volume');
const bootOf = (folder: string): string => join(folder, 'volume.boot');
const ownerOf = (folder: string): string => join(folder, 'owner');
const bootId = () => readFile('/proc/sys/kernel/random/boot_id', 'utf8');

/** @param bytes size of the file systems that are made */
export function openStores(dir: string, bytes: number): Stores {
  const folders = async () =>
    (await readdir(dir).catch(() => [])).map((it) => {
      const [number = '', key = ''] = it.split('-');
      return { folder: join(dir, it), number: Number(number), key };
    });

  /** Whether a volume is there, is large enough, and was not in use when the machine went down. */
  const isWhole = async (folder: string): Promise<boolean> => {
    if (!(await volumes.isWhole(volumeOf(folder), bytes))) return false;
    const boot = await readFile(bootOf(folder), 'utf8').catch(() => undefined);
    return boot === undefined || boot === (await bootId());
  };

  const remove = (folder: string): Promise<void> => volumes.remove(folder);

  const list = async (): Promise<Store[]> =>
    Promise.all(
      (await folders()).map(async (it) => {
        const owner = await readFile(ownerOf(it.folder), 'utf8').catch(() => '');
        const usedAt = (await stat(ownerOf(it.folder)).catch(() => undefined))?.mtime ?? new Date(0);
        return { ...it, owner, bytes: await volumes.bytesOf(volumeOf(it.folder)), usedAt };
      }),
    );

  return {
    list,
    numbers: async () => (await folders()).map((it) => it.number),
    find: async (key) => (await folders()).find((it) => it.key === key),
    async prepare(number, key, owner) {
      const folder = join(dir, `${number}-${key}`);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (!(await isWhole(folder))) await volumes.make(volumeOf(folder), bytes, rootOf(number));
      await writeFile(ownerOf(folder), owner);
      await writeFile(bootOf(folder), await bootId());
      return folder;
    },
    touch: (folder) => utimes(ownerOf(folder), new Date(), new Date()),
    settle: (folder) => rm(bootOf(folder), { force: true }),
    remove,
    async keepWithin(bytesMax, inUse) {
      const all = await list();
      let kept = all.reduce((sum, it) => sum + it.bytes, 0);
      for (const it of all.sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime())) {
        if (kept <= bytesMax) return;
        if (inUse.has(it.folder)) continue;
        await remove(it.folder);
        kept -= it.bytes;
      }
    },
  };
}
