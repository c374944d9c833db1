import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import init from '@sqlite.org/sqlite-wasm';
import { isRpmDatabase, packagesOfRpm } from './rpm.ts';

/** Made by rpm 4.18: two packages installed, one installed and erased again. */
const database = gunzipSync(readFileSync(join(import.meta.dirname, 'testing/rpmdb.sqlite.gz')));

it('reads what rpm has installed, with epoch and release', async () => {
  expect(await packagesOfRpm(database)).toEqual([
    ['kiln-plain', '1.2.3-1'],
    ['kiln-tool', '1:1.2.3-4.el9'],
  ]);
  expect(['var/lib/rpm/rpmdb.sqlite', 'usr/lib/sysimage/rpm/rpmdb.sqlite', 'home/rpmdb.sqlite'].map(isRpmDatabase)).toEqual([
    true, true, false,
  ]); // prettier-ignore
});

it('finds nothing in what is broken, cut, or none', async () => {
  expect(await packagesOfRpm(Buffer.alloc(0))).toEqual([]);
  expect(await packagesOfRpm(Buffer.from('SQLite format 3'))).toBeUndefined();
  expect(await packagesOfRpm(Buffer.from('not a database'))).toBeUndefined();
  expect(await packagesOfRpm(database.subarray(0, 40_000))).toBeUndefined();
  const wrong = Buffer.from(database);
  wrong.fill(0xff, 4096);
  expect(await packagesOfRpm(wrong)).toBeUndefined();
});

const made = async (sql: string): Promise<Buffer> => {
  const { oo1, capi } = await init();
  const db = new oo1.DB();
  db.exec(sql);
  const bytes = Buffer.from(capi.sqlite3_js_db_export(db));
  db.close();
  return bytes;
};

it('is not led into endless work by what calls itself a database of rpm', async () => {
  const endless = 'WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT';
  expect(
    await packagesOfRpm(await made(`CREATE VIEW Packages AS ${endless} zeroblob(100) AS blob FROM n`)),
  ).toBeUndefined();
  // A header that says to have more entries than there are bytes, and one of nothing.
  const odd = await made(`CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB);
    INSERT INTO Packages (blob) VALUES (x'00002710ffffffff'), (zeroblob(3)), (x'ffffffff00000000')`);
  expect(await packagesOfRpm(odd)).toBeUndefined();
});
