import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { RegistryAccess } from '../client/connection.ts';

/** A repository that gave layers, and how its registry was known to be that one. */
export type LayerPlace = Pick<RegistryAccess, 'host' | 'tlsMode' | 'caPem'> & { repository: string };

/** Layers of bases on this machine's disk, for all builds that may read them. */
export interface LayerStore {
  /**
   * A layer that this place has given before. That another place gave it does not do: a manifest may name the layers of
   * somebody else, and they would be had for their digest alone.
   */
  read(place: LayerPlace, digest: string): Promise<{ body: Readable; length: number } | undefined>;
  /** Passes a layer's bytes on, and keeps them once the last one has come. What cannot be kept is passed on all the same. */
  keep(place: LayerPlace, digest: string, bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer>;
}

const nameOf = ({ host, tlsMode, caPem, repository }: LayerPlace): string =>
  createHash('sha256')
    .update(JSON.stringify([host, tlsMode, caPem ?? null, repository]))
    .digest('hex');

/**
 * Opens the store in a folder of its own: a folder for each layer, in which are the layer and an empty file for each
 * place that gave it.
 * @param bytesMax what all layers may take of the disk together; those unused longest go first
 */
export async function openLayerStore(dir: string, bytesMax: number): Promise<LayerStore> {
  const incoming = join(dir, 'incoming');
  const layers = join(dir, 'layers');
  // What came when the builder ended is not whole.
  await rm(incoming, { recursive: true, force: true });
  for (const it of [incoming, layers]) await mkdir(it, { recursive: true, mode: 0o700 });
  const folderOf = (digest: string) => join(layers, digest.replace(':', '-'));

  async function collect(): Promise<void> {
    const found = await Promise.all(
      (await readdir(layers)).map(async (name) => {
        const about = await stat(join(layers, name, 'layer')).catch(() => undefined);
        return { folder: join(layers, name), size: about?.size ?? 0, used: about?.mtimeMs ?? 0 };
      }),
    );
    let all = found.reduce((sum, { size }) => sum + size, 0);
    for (const { folder, size } of found.sort((a, b) => a.used - b.used)) {
      if (all <= bytesMax) return;
      await rm(folder, { recursive: true, force: true });
      all -= size;
    }
  }

  async function add(file: string, place: LayerPlace, digest: string): Promise<void> {
    const folder = folderOf(digest);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(file, join(folder, 'layer'));
    await writeFile(join(folder, nameOf(place)), '');
    await collect();
  }

  return {
    async read(place, digest) {
      const file = join(folderOf(digest), 'layer');
      try {
        await stat(join(folderOf(digest), nameOf(place)));
        const { size } = await stat(file);
        const now = new Date();
        await utimes(file, now, now);
        const handle = await open(file);
        return { body: handle.createReadStream(), length: size };
      } catch {
        return undefined;
      }
    },
    async *keep(place, digest, bytes) {
      const file = join(incoming, randomUUID());
      let handle: FileHandle | undefined;
      let written = 0;
      try {
        handle = await open(file, 'wx', 0o600).catch(() => undefined);
        for await (const chunk of bytes) {
          written += chunk.length;
          const kept = written <= bytesMax && (await handle?.writeFile(chunk).then(() => true, () => false)); // prettier-ignore
          if (!kept) {
            await handle?.close();
            handle = undefined;
          }
          yield chunk;
        }
        if (handle) await add(file, place, digest).catch(() => undefined);
      } finally {
        await handle?.close();
        await rm(file, { force: true });
      }
    },
  };
}
