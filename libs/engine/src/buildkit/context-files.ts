import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { type ContextEntry, writeEntries } from '@kiln/domain';
import type { ContextFiles } from '../engine.ts';
import { type FileStat, type Packet, packetTypes } from './messages.ts';

type FileStream = ServerDuplexStream<Packet, Packet>;

const chunkBytes = 32 << 10;

/** Of all files alike, since a context has no times: after what zip archives can say, which begin in 1980. */
const modTime = String(BigInt(Date.UTC(1980, 0, 2)) * 1_000_000n);

/** A mode as Go writes it. */
const goMode = (it: ContextEntry): number =>
  it.type === 'folder' ? 2 ** 31 + it.mode : it.type === 'link' ? 2 ** 27 + 0o777 : it.mode;

const statOf = (it: ContextEntry): FileStat => ({
  path: it.path,
  mode: goMode(it),
  uid: 0,
  gid: 0,
  size: it.type === 'file' ? it.size : 0,
  modTime,
  linkname: it.type === 'link' ? it.target : '',
});

/**
 * What a daemon may take for the same files as before. It looks at sizes and times only, of which the times are all
 * alike here: what is another list of files must not be compared at all.
 */
export function sharedKeyOf(context: ContextFiles | undefined, named: ReadonlyMap<string, ContextFiles>): string {
  const hash = createHash('sha256').update(writeEntries(context?.entries ?? []));
  for (const [name, it] of named) hash.update(`\n${name}\n${writeEntries(it.entries)}`);
  return hash.digest('hex');
}

/**
 * What of a context a build can need that follows these paths: all that lies at them, below them and on the way to them.
 * Where one leads over a link, or has a wildcard in its first part, that is everything.
 */
export function neededFor(entries: readonly ContextEntry[], paths: readonly string[]): readonly ContextEntry[] {
  if (paths.length === 0) return entries;
  const links = new Set(entries.flatMap((it) => (it.type === 'link' ? [it.path] : [])));
  const wanted = new Set<string>();
  for (const path of paths) {
    const parts = path.split('/').filter((it) => it !== '' && it !== '.');
    const wild = parts.findIndex((it) => /[*?[\]\\]/.test(it) || it === '..');
    const plain = wild < 0 ? parts : parts.slice(0, wild);
    const steps = plain.map((_, index) => plain.slice(0, index + 1).join('/'));
    if (plain.length === 0 || steps.some((it) => links.has(it))) return entries;
    wanted.add(plain.join('/'));
  }
  const isWanted = ({ path }: ContextEntry): boolean => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
      if (wanted.has(path.slice(0, end))) return true;
    return [...wanted].some((it) => it.startsWith(`${path}/`));
  };
  const found = entries.filter(isWanted);
  // A link below leads elsewhere, maybe.
  return found.some((it) => it.type === 'link') ? entries : found;
}

async function send(stream: FileStream, packet: Packet): Promise<void> {
  if (!stream.write(packet)) await once(stream, 'drain');
}

/**
 * Sends a context to the daemon: first what there is, then what it asks for by number. It gets nothing but regular files
 * of that list, whatever it asks for.
 * @param context an empty one when left out
 */
export function sendFiles(stream: FileStream, context: ContextFiles | undefined): void {
  const regular = new Map<number, string>();
  const fail = (error: unknown): void => void stream.destroy(error instanceof Error ? error : new Error(String(error)));
  stream.on('error', () => undefined);
  const list = async (): Promise<void> => {
    const paths = stream.metadata.get('followpaths').map(String);
    let number = 0;
    for (const entry of neededFor(context?.entries ?? [], paths)) {
      if (entry.type === 'file') regular.set(number, entry.sha256);
      number += 1;
      await send(stream, { type: packetTypes.stat, stat: statOf(entry) });
    }
    await send(stream, { type: packetTypes.stat });
  };
  const sendFile = async (number: number): Promise<void> => {
    const sha256 = regular.get(number);
    if (sha256 === undefined || !context) throw new Error(`there is no file ${number}`);
    for await (const data of context.read(sha256) as AsyncIterable<Buffer>)
      for (let at = 0; at < data.length; at += chunkBytes)
        await send(stream, { type: packetTypes.data, ID: number, data: data.subarray(at, at + chunkBytes) });
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
