import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileWriter, type KeptFile, tooManyBytes } from './store.ts';

/** Files up to this size wait in memory until their digest is known, and larger ones on the disk. */
const inMemoryBytes = 128 << 10;

/** How a store keeps a file whose digest is known. */
export interface FileKeeper {
  /** A small one. */
  bytes(kept: KeptFile, content: Buffer): Promise<void>;
  /** A large one, which lies at this path, and may be moved. */
  file(kept: KeptFile, path: string): Promise<void>;
}

/** Runs work for each of these, some at once. @throws what the first of them throws */
export async function forEachOf<T>(all: readonly T[], atOnce: number, work: (it: T) => Promise<void>): Promise<void> {
  const queue = all.values();
  const worker = async (): Promise<void> => {
    for (const it of queue) await work(it);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
}

/** Of these files, those with one of the digests, as they were given. */
export const inOrder = (files: readonly KeptFile[], found: ReadonlySet<string>): string[] =>
  files.flatMap((it) => (found.has(it.sha256) ? [it.sha256] : []));

/** Takes a content. @returns its bytes when it is small; a large one has gone into a file */
async function take(content: AsyncIterable<Buffer>, bytesMax: number, path: string) {
  const hash = createHash('sha256');
  let size = 0;
  const chunks: Buffer[] = [];
  let handle: FileHandle | undefined;
  try {
    for await (const chunk of content) {
      size += chunk.length;
      if (size > bytesMax) throw tooManyBytes(bytesMax);
      hash.update(chunk);
      chunks.push(chunk);
      if (size <= inMemoryBytes) continue;
      handle ??= await open(path, 'wx', 0o600);
      for (const it of chunks.splice(0)) await handle.writeFile(it);
    }
  } catch (error) {
    if (handle) await rm(path, { force: true });
    throw error;
  } finally {
    await handle?.close();
  }
  return { kept: { sha256: hash.digest('hex'), size }, bytes: handle ? undefined : Buffer.concat(chunks) };
}

/**
 * Makes writers that keep small files while the next ones come.
 * @param incoming folder for large files on their way
 * @param atOnce how many small files are kept at once, of all writers together: each holds its content in memory
 */
export function openWriters(incoming: string, atOnce: number): (keeper: FileKeeper) => FileWriter {
  const sending = new Set<Promise<void>>();
  return (keeper) => {
    const own = new Set<Promise<void>>();
    let failed: Error | undefined;
    return {
      async put(content, bytesMax) {
        if (failed) throw failed;
        const path = join(incoming, randomUUID());
        const { kept, bytes } = await take(content, bytesMax, path);
        if (!bytes) {
          await keeper.file(kept, path).finally(() => rm(path, { force: true }));
          return kept;
        }
        while (sending.size >= atOnce) await Promise.race(sending);
        const one: Promise<void> = keeper
          .bytes(kept, bytes)
          .catch((error: unknown) => void (failed ??= error as Error))
          .finally(() => {
            sending.delete(one);
            own.delete(one);
          });
        sending.add(one);
        own.add(one);
        return kept;
      },
      async done() {
        await Promise.all(own);
        if (failed) throw failed;
      },
    };
  };
}
