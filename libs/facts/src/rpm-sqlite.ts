import init, { type Database, type Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { headerBytesMax, type TakeHeader } from './rpm-header.ts';

export const isSqlite = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 16).startsWith('SQLite format 3');

let sqlite: Promise<Sqlite3Static> | undefined;

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
 * Reads the database of rpm 4.16 and later.
 * @throws Error where it is no database of rpm's
 */
export async function readSqlite(bytes: Buffer, take: TakeHeader): Promise<void> {
  // It writes what it thinks of a database to the console otherwise.
  sqlite ??= init({ print: () => undefined, printErr: () => undefined });
  const db = open(await sqlite, bytes);
  try {
    if (db.selectValue("SELECT type FROM sqlite_schema WHERE name = 'Packages'") !== 'table')
      throw new Error('there is no table of packages');
    db.exec({
      sql: 'SELECT blob FROM Packages',
      rowMode: 'array',
      callback: ([blob]) => {
        if (blob instanceof Uint8Array) take(blob);
      },
    });
  } finally {
    db.close();
  }
}
