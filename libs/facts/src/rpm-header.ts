import type { PackageSource } from '@kiln/domain';

// rpm's own numbers (include/rpm/rpmtag.h). All figures of a header are big-endian.
const tags = { name: 1000, version: 1001, release: 1002, epoch: 1003 };
const int32 = 4;
const indexEntryBytes = 16;
const indexEntriesMax = 10_000;

/** Most headers have some ten thousand bytes; those of packages with many files have millions. */
export const headerBytesMax = 16 << 20;
/** Names and versions are no longer. */
const textBytesMax = 1000;

/** Is given the header of each package of a database. */
export type TakeHeader = (header: Uint8Array) => void;

/** Texts and numbers of a package's header, by their tags. */
function readHeader(blob: Uint8Array): Map<number, string | number> {
  const header = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const entries = header.readUInt32BE(0);
  if (entries > indexEntriesMax) throw new RangeError(`a header of ${entries} entries`);
  const data = 8 + entries * indexEntryBytes;
  const found = new Map<number, string | number>();
  for (let n = 0; n < entries; n++) {
    const at = 8 + n * indexEntryBytes;
    const [tag, type, offset] = [0, 4, 8].map((it) => header.readUInt32BE(at + it)) as [number, number, number];
    if (!Object.values(tags).includes(tag) || found.has(tag)) continue;
    if (type === int32) found.set(tag, header.readUInt32BE(data + offset));
    else {
      const text = header.subarray(data + offset, data + offset + textBytesMax);
      const end = text.indexOf(0);
      if (end >= 0) found.set(tag, text.toString('utf8', 0, end));
    }
  }
  return found;
}

/** Name and version of a package as rpm prints it: `1:1.2.3-4.el9`. Keys that sign packages are no packages. */
export function packageOfHeader(blob: Uint8Array): PackageSource['packages'][number] | undefined {
  const header = readHeader(blob);
  const [name, version, release, epoch] = [tags.name, tags.version, tags.release, tags.epoch].map((it) =>
    header.get(it),
  );
  if (typeof name !== 'string' || typeof version !== 'string' || name === 'gpg-pubkey') return undefined;
  const whole = `${epoch === undefined ? '' : `${epoch}:`}${version}${release === undefined ? '' : `-${release}`}`;
  return [name.slice(0, 200), whole.slice(0, 200)];
}
