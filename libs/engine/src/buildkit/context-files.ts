import { once } from 'node:events';
import { type BigIntStats, createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerDuplexStream } from '@grpc/grpc-js';
import { type FileStat, type Packet, packetTypes } from './messages.ts';

type FileStream = ServerDuplexStream<Packet, Packet>;

const chunkBytes = 32 << 10;

/** A file's mode as Go writes it. */
function goMode(stat: BigIntStats): number {
  const mode = Number(stat.mode);
  const kind = stat.isDirectory() ? 2 ** 31 : stat.isSymbolicLink() ? 2 ** 27 : 0;
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return kind + special + (mode & 0o777);
}

/** A folder's files in the order that BuildKit wants: each folder before what is in it, names by their bytes. */
async function* filesOf(root: string, folder = ''): AsyncGenerator<FileStat> {
  for (const name of (await readdir(join(root, folder))).sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  )) {
    const path = join(folder, name);
    const stat = await lstat(join(root, path), { bigint: true });
    if (!stat.isFile() && !stat.isDirectory() && !stat.isSymbolicLink()) continue;
    const linkname = stat.isSymbolicLink() ? await readlink(join(root, path)) : '';
    const size = stat.isFile() ? Number(stat.size) : 0;
    yield { path, mode: goMode(stat), uid: 0, gid: 0, size, modTime: String(stat.mtimeNs), linkname };
    if (stat.isDirectory()) yield* filesOf(root, path);
  }
}

async function send(stream: FileStream, packet: Packet): Promise<void> {
  if (!stream.write(packet)) await once(stream, 'drain');
}

/**
 * Sends a folder to the daemon: first what there is, then what it asks for by number. It gets nothing but regular files
 * of that list, whatever it asks for.
 * @param root the folder; an empty one when left out
 */
export function sendFiles(stream: FileStream, root: string | undefined): void {
  const regular = new Map<number, string>();
  const fail = (error: unknown): void => void stream.destroy(error instanceof Error ? error : new Error(String(error)));
  stream.on('error', () => undefined);
  const list = async (): Promise<void> => {
    let number = 0;
    if (root !== undefined)
      for await (const stat of filesOf(root)) {
        if (stat.mode < 2 ** 27) regular.set(number, join(root, stat.path));
        number += 1;
        await send(stream, { type: packetTypes.stat, stat });
      }
    await send(stream, { type: packetTypes.stat });
  };
  const sendFile = async (number: number): Promise<void> => {
    const file = regular.get(number);
    if (file === undefined) throw new Error(`there is no file ${number}`);
    for await (const data of createReadStream(file, { highWaterMark: chunkBytes }))
      await send(stream, { type: packetTypes.data, ID: number, data: data as Buffer });
    await send(stream, { type: packetTypes.data, ID: number });
  };
  // One file after the other.
  let sending = list();
  sending.catch(fail);
  stream.on('data', ({ type, ID = 0 }: Packet) => {
    if (type === packetTypes.request) {
      sending = sending.then(() => sendFile(ID));
      sending.catch(fail);
    }
    if (type !== packetTypes.end) return;
    stream.write({ type: packetTypes.end });
    stream.end();
  });
}
