import { inflateRawSync } from 'node:zlib';

const endOfDirectory = 0x06054b50;
const directoryEntry = 0x02014b50;

/** Where the directory of an archive begins, and how many entries it has. */
function directoryOf(archive: Buffer): { at: number; entries: number } {
  for (let at = archive.length - 22; at >= 0; at -= 1)
    if (archive.readUInt32LE(at) === endOfDirectory)
      return { at: archive.readUInt32LE(at + 16), entries: archive.readUInt16LE(at + 10) };
  throw new Error('this is no zip archive');
}

/**
 * Reads one file of a zip archive.
 * @throws Error when the archive has no such file
 */
export function readZipEntry(archive: Buffer, name: string): Buffer {
  const directory = directoryOf(archive);
  let { at } = directory;
  for (let left = directory.entries; left > 0 && archive.readUInt32LE(at) === directoryEntry; left -= 1) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((it) => archive.readUInt16LE(at + it)) as [
      number, number, number,
    ]; // prettier-ignore
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const header = archive.readUInt32LE(at + 42);
      // The names and extra fields of the two headers may differ in length.
      const data = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
      const packed = archive.subarray(data, data + archive.readUInt32LE(at + 20));
      return archive.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed);
    }
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error(`the archive has no file ${name}`);
}
