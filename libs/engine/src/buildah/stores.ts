import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Jail } from '../jail/jail.ts';

/** Where a build's image is. */
export interface Place {
  volume: string;
  /** Room that it has for what later builds of the owner use again. */
  spareBytes: number;
  /** Ids of the bases without which it is not whole. */
  bases: readonly string[];
}

/**
 * Where images are: bases that all builds share, stores with the layers of one owner each, and one for each other
 * build.
 */
export interface Stores {
  base(id: string): string;
  /** Id of a base's image; undefined when it is not here. */
  baseImage(id: string): Promise<string | undefined>;
  /** Makes a fetched base usable, and forgets those unused longest. */
  addBase(id: string, fetched: string, image: string): Promise<void>;
  /**
   * A volume for a build, which no other build uses meanwhile: the one with the layers of its owner's earlier builds on
   * the same bases, or an empty one.
   * @param bases ids of the images that it stands on
   */
  take(id: string, bases: readonly string[], owner: string | undefined): Promise<Place>;
  /** Where a build's image is, for the time being not used by others; undefined when it is gone or busy. */
  find(id: string): Promise<Place | undefined>;
  /** Others may use the build's volume again. */
  release(id: string): void;
  /** Forgets a build; its own volume goes, its owner's stays unless it is spoilt. */
  drop(id: string, spoilt: boolean): Promise<void>;
  /** Removes all that belongs to no base, no owner and none of these builds. */
  reap(keep: readonly string[]): Promise<void>;
}

// Of bases, this many stay; the one unused longest goes first.
const basesMax = 64;

/**
 * @param cacheBytesMax what the stores of layers may take of the disk in all before the oldest are forgotten; 0 keeps
 * none
 */
export function openStores(storeDir: string, jail: Jail, cacheBytesMax: number): Stores {
  const folder = (name: string) => join(storeDir, name);
  const [bases, owners, builds, places] = ['bases', 'owners', 'builds', 'places'].map(folder) as [
    string, string, string, string,
  ]; // prettier-ignore
  const busy = new Map<string, string>();
  const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 24);
  const basePath = (id: string) => join(bases, short(id));
  const ready = Promise.all([bases, owners, builds, places].map((it) => mkdir(it, { recursive: true, mode: 0o700 })));

  const placeOf = async (id: string): Promise<Place | undefined> => {
    const text = await readFile(join(places, id), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Place);
  };
  const isBusy = (volume: string) => [...busy.values()].includes(volume);
  const baseImage = async (id: string): Promise<string | undefined> => {
    const image = await readFile(`${basePath(id)}.id`, 'utf8').catch(() => undefined);
    if (image === undefined || !(await jail.hasVolume(basePath(id)))) return undefined;
    const now = new Date();
    await utimes(`${basePath(id)}.id`, now, now);
    return image;
  };

  /**
   * Forgets stores of layers, the one unused longest first, until the rest is within bounds; one alone may take a
   * quarter.
   */
  const makeRoom = async (wanted: string): Promise<void> => {
    await writeFile(`${wanted}.used`, '');
    const names = (await readdir(owners)).filter((it) => it.endsWith('.used')).map((it) => it.slice(0, -5));
    const all = await Promise.all(
      names.map(async (name) => {
        const volume = join(owners, name);
        const at = (await stat(`${volume}.used`).catch(() => undefined))?.mtimeMs ?? 0;
        return { volume, at, bytes: await jail.volumeBytes(volume) };
      }),
    );
    let left = all.reduce((sum, it) => sum + it.bytes, 0);
    for (const { volume, bytes } of all.sort((a, b) => a.at - b.at)) {
      const tooLarge = volume === wanted ? bytes > cacheBytesMax / 4 : left > cacheBytesMax && !isBusy(volume);
      if (!tooLarge) continue;
      await jail.removeVolume(volume);
      if (volume !== wanted) await rm(`${volume}.used`, { force: true });
      left -= bytes;
    }
  };

  return {
    base: basePath,
    baseImage,
    async addBase(id, fetched, image) {
      await ready;
      await jail.moveVolume(fetched, basePath(id));
      await writeFile(`${basePath(id)}.id.new`, image);
      await rename(`${basePath(id)}.id.new`, `${basePath(id)}.id`);
      const ids = (await readdir(bases)).filter((it) => it.endsWith('.id'));
      if (ids.length <= basesMax) return;
      const ages = await Promise.all(
        ids.map(async (it) => ({ it, at: (await stat(join(bases, it)).catch(() => undefined))?.mtimeMs ?? 0 })),
      );
      for (const { it } of ages.sort((a, b) => a.at - b.at).slice(0, ids.length - basesMax)) {
        await rm(join(bases, it), { force: true });
        // A jail that shows it goes on doing so.
        await jail.removeVolume(join(bases, it.slice(0, -3)));
      }
    },
    async take(id, stands, owner) {
      await ready;
      // A layer stands on layers of its bases by names that another store of the same base does not have.
      const owned = owner === undefined ? undefined : join(owners, short([owner, ...stands].join(' ')));
      const volume = owned === undefined || isBusy(owned) ? join(builds, id) : owned;
      busy.set(id, volume);
      const place = { volume, bases: stands, spareBytes: volume === owned ? Math.floor(cacheBytesMax / 4) : 0 };
      await writeFile(join(places, id), JSON.stringify(place));
      if (volume === owned) await makeRoom(volume);
      return place;
    },
    async find(id) {
      const place = await placeOf(id);
      if (!place || !(await jail.hasVolume(place.volume))) return undefined;
      for (const it of place.bases) if ((await baseImage(it)) === undefined) return undefined;
      if (busy.get(id) !== place.volume && isBusy(place.volume)) return undefined;
      busy.set(id, place.volume);
      return place;
    },
    release: (id) => void busy.delete(id),
    async drop(id, spoilt) {
      const volume = (await placeOf(id))?.volume;
      await rm(join(places, id), { force: true });
      if (volume !== undefined && (spoilt ? busy.get(id) === volume : volume.startsWith(`${builds}/`)))
        await jail.removeVolume(volume);
      busy.delete(id);
    },
    async reap(keep) {
      await ready;
      for (const id of await readdir(places)) {
        if (keep.includes(id)) continue;
        // Whatever was under way there ended in the middle.
        const volume = (await placeOf(id))?.volume;
        if (volume !== undefined) await jail.removeVolume(volume);
        await rm(join(places, id));
      }
      const kept = new Set((await Promise.all(keep.map(placeOf))).map((it) => it?.volume));
      for (const it of await readdir(builds)) {
        const volume = join(builds, it.replace(/\.img$/, ''));
        if (!kept.has(volume)) await rm(join(builds, it), { recursive: true, force: true });
      }
      for (const it of await readdir(bases)) {
        const whole = await stat(join(bases, `${it.split('.')[0]}.id`)).catch(() => undefined);
        if (!whole) await rm(join(bases, it), { recursive: true, force: true });
      }
    },
  };
}
