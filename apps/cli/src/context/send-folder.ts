import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { type ContextEntry, filesIn, writeEntries } from '@kiln/domain';
import { pack } from 'tar-stream';
import { send } from '../api.ts';
import { CommandError, exitCodes } from '../exit.ts';
import type { Profile } from '../profile.ts';
import { smallBytes } from './scan-folder.ts';

type FileEntry = Extract<ContextEntry, { type: 'file' }>;

interface Planned {
  Id: string;
  Missing: string[];
}

/** Told how far the sending is, in bytes. */
export type OnSent = (sent: number, all: number) => void;

/** What goes in one request: what came before a connection broke need not go again. */
const packBytes = 64 << 20;
const triesMax = 5;

/** Files of about so many bytes at a time. */
function inPacks(files: FileEntry[]): FileEntry[][] {
  const packs: FileEntry[][] = [];
  let left = 0;
  for (const it of files) {
    if (packs.length === 0 || left <= 0) {
      packs.push([]);
      left = packBytes;
    }
    packs.at(-1)?.push(it);
    left -= it.size;
  }
  return packs;
}

async function sendPack(
  profile: Profile,
  root: string,
  id: string,
  files: FileEntry[],
  onBytes: (bytes: number) => void,
): Promise<void> {
  const archive = pack();
  const filling = (async () => {
    for (const it of files) {
      const header = { name: it.sha256, size: it.size, mode: 0o600 };
      if (it.size <= smallBytes) {
        const content = readFileSync(join(root, it.path));
        if (content.length !== it.size) throw new Error(`${it.path} has other bytes by now`);
        onBytes(content.length);
        await new Promise<void>((resolve, reject) => {
          archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
        });
        continue;
      }
      const entry = archive.entry(header);
      const file = createReadStream(join(root, it.path), { highWaterMark: 1 << 18 });
      file.on('data', (chunk) => onBytes(chunk.length));
      // Its types are not those of Node's streams.
      await pipeline(file, entry as unknown as NodeJS.WritableStream);
    }
    archive.finalize();
  })();
  filling.catch((error: unknown) => archive.destroy(error as Error));
  await send(profile, `/api/v1/contexts/${id}/files`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-tar' },
    body: Readable.toWeb(Readable.from(archive)) as never,
    duplex: 'half',
  }).catch(async (error: unknown) => {
    // A file that changed while it was sent says more than the connection that broke by it.
    await filling.catch((own: unknown) => {
      throw new CommandError(`a file changed while it was sent: ${own instanceof Error ? own.message : String(own)}`);
    });
    throw error;
  });
}

/**
 * Sends a folder as a context: the list of what is in it, and then the files that Kiln has not.
 * @param root folder that the entries are of
 * @returns the context's id
 * @throws CommandError
 */
export async function sendFolder(
  profile: Profile,
  root: string,
  entries: ContextEntry[],
  onSent: OnSent,
): Promise<string> {
  const list = gzipSync(writeEntries(entries));
  const files = new Map(filesIn(entries).map((it) => [it.sha256, it]));
  let tried = 0;
  for (;;) {
    const response = await send(profile, '/api/v1/contexts/plan', {
      method: 'POST',
      headers: { 'content-type': 'application/gzip' },
      body: new Uint8Array(list),
    });
    const { Id, Missing } = (await response.json()) as Planned;
    if (Missing.length === 0) return Id;
    const missing = Missing.flatMap((it) => files.get(it) ?? []);
    const all = missing.reduce((sum, it) => sum + it.size, 0);
    let sent = 0;
    onSent(0, all);
    try {
      for (const it of inPacks(missing)) await sendPack(profile, root, Id, it, (bytes) => onSent((sent += bytes), all));
      tried = 0;
    } catch (error) {
      tried += 1;
      if (!(error instanceof CommandError) || error.exitCode !== exitCodes.infrastructure || tried >= triesMax)
        throw error;
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tried));
    }
  }
}
