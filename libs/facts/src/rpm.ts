import init, { type Database, type Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { type PackageSource } from '@kiln/domain';

/** Where rpm keeps what is installed, since its version 4.16; older ones have a Berkeley DB, which is not read. */
export const isRpmDatabase = (path: string): boolean =>
  /^(?:var\/lib\/rpm|usr\/lib\/sysimage\/rpm|usr\/share\/rpm)\/rpmdb\.sqlite$/.test(path);

/** The most bytes of one: a system of a thousand packages has some fifty million. */
export const rpmBytesMax = 64 << 20;

// rpm's own numbers (include/rpm/rpmtag.h). All figures of a header are big-endian.
const tags = { name: 1000, version: 1001, release: 1002, epoch: 1003 };
const int32 = 4;
const indexEntryBytes = 16;
const indexEntriesMax = 10_000;

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
    if (!Object.values(tags).includes(tag)) continue;
    if (type === int32) found.set(tag, header.readUInt32BE(data + offset));
    else {
      const end = header.indexOf(0, data + offset);
      if (end >= 0) found.set(tag, header.toString('utf8', data + offset, end));
    }
  }
  return found;
}

/** Name and version of a package as rpm prints it: `1:1.2.3-4.el9`. Keys that sign packages are no packages. */
function packageIn(blob: Uint8Array): [string, string] | undefined {
  const header = readHeader(blob);
  const [name, version, release, epoch] = [tags.name, tags.version, tags.release, tags.epoch].map((it) =>
    header.get(it),
  );
  if (typeof name !== 'string' || typeof version !== 'string' || name === 'gpg-pubkey') return undefined;
  const whole = `${epoch === undefined ? '' : `${epoch}:`}${version}${release === undefined ? '' : `-${release}`}`;
  return [name.slice(0, 200), whole.slice(0, 200)];
}

let sqlite: Promise<Sqlite3Static> | undefined;

/** One header is some hundred kilobytes at most. */
const headerBytesMax = 4 << 20;
/** Steps of SQLite's machine between two looks at the clock, and how long it may take. */
const stepsBetweenLooks = 100_000;
const readMsMax = 10_000;

/** Opens a database in memory. What it says of itself is not believed: no views, no functions, not for long. */
function open({ oo1, wasm, capi }: Sqlite3Static, bytes: Buffer): Database {
  const db = new oo1.DB();
  // Not copied: there would be three of it.
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  // As if it had no write-ahead log: that lies in another file, and holds nothing once rpm has ended.
  file.fill(1, 18, 20);
  const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_READONLY;
  const pointer = wasm.allocFromTypedArray(file);
  db.checkRc(capi.sqlite3_deserialize(db, 'main', pointer, file.length, file.length, flags));
  capi.sqlite3_limit(db, capi.SQLITE_LIMIT_LENGTH, headerBytesMax);
  const until = performance.now() + readMsMax;
  capi.sqlite3_progress_handler(db, stepsBetweenLooks, () => (performance.now() > until ? 1 : 0), 0);
  return db;
}

/**
 * @param bytes of a file of which isRpmDatabase is true
 * @returns the packages in it; undefined where it is no database of rpm's
 */
export async function packagesOfRpm(bytes: Buffer): Promise<PackageSource['packages'] | undefined> {
  if (bytes.length === 0) return [];
  if (!bytes.toString('latin1', 0, 16).startsWith('SQLite format 3')) return undefined;
  // It writes what it thinks of a database to the console otherwise.
  sqlite ??= init({ print: () => undefined, printErr: () => undefined });
  const db = open(await sqlite, bytes);
  try {
    if (db.selectValue("SELECT type FROM sqlite_schema WHERE name = 'Packages'") !== 'table') return undefined;
    const packages: PackageSource['packages'] = [];
    db.exec({
      sql: 'SELECT blob FROM Packages',
      rowMode: 'array',
      callback: ([blob]) => {
        const found = blob instanceof Uint8Array ? packageIn(blob) : undefined;
        if (found) packages.push(found);
      },
    });
    return packages;
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}
