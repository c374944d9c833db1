import type { PackageSource } from '@kiln/domain';
import { packageOfPath } from './packages.ts';

// As in PKWARE's APPNOTE: a list of all files stands at the end of a zip, and behind it where that begins.
const entryMark = 0x02014b50;
const entryBytes = 46;
const endMark = 0x06054b50;
const endBytes = 22;

/** The most bytes of a jar's end that are looked at: its list of files, of which a jar of 2,000 jars has half of that. */
const tailBytesMax = 1 << 20;

const nameBytesMax = 1024;

export const isJar = (path: string): boolean => /\.(?:jar|war|ear)$/.test(path);

/** @returns the last bytes of a file, as many as are looked at */
export async function tailOf(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of content) {
    chunks.push(chunk);
    size += chunk.length;
    while (size - (chunks[0]?.length ?? 0) >= tailBytesMax) size -= chunks.shift()?.length ?? 0;
  }
  return Buffer.concat(chunks).subarray(-tailBytesMax);
}

/**
 * Packages of the jars that lie in a jar, as servers and frameworks pack whole programs: by their names.
 * @param tail the last bytes of the jar
 */
export function packagesInJar(tail: Buffer): PackageSource['packages'] {
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0 || end + endBytes > tail.length || tail.readUInt32LE(end) !== endMark) return [];
  const found: PackageSource['packages'] = [];
  for (let at = Math.max(0, end - tail.readUInt32LE(end + 12)); at + entryBytes <= end;) {
    if (tail.readUInt32LE(at) !== entryMark) {
      // The list begins before the bytes that are here: with the first entry that is whole.
      const next = tail.indexOf(Buffer.from([0x50, 0x4b, 1, 2]), at + 1);
      if (next < 0) break;
      at = next;
      continue;
    }
    const nameAt = at + entryBytes;
    const nameEnd = nameAt + tail.readUInt16LE(at + 28);
    const name = nameEnd - nameAt <= nameBytesMax ? tail.toString('utf8', nameAt, nameEnd) : '';
    if (isJar(name)) found.push(...(packageOfPath(name)?.packages ?? []));
    at = nameEnd + tail.readUInt16LE(at + 30) + tail.readUInt16LE(at + 32);
  }
  return found;
}
