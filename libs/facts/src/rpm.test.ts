import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import init from '@sqlite.org/sqlite-wasm';
import { packageOfHeader } from './rpm-header.ts';
import { isRpmDatabase, packagesOfRpm } from './rpm.ts';

const fixture = (name: string): Buffer => gunzipSync(readFileSync(join(import.meta.dirname, `testing/${name}.gz`)));
/** Made by rpm 4.18: two packages installed, one installed and erased again. */
const database = fixture('rpmdb.sqlite');
/** Made by rpm 4.20, and by the tools of Berkeley DB 5.3 from the same headers, each of which takes several pages. */
const older = { 'Packages.db': fixture('Packages.db'), Packages: fixture('Packages') };

it('reads what rpm has installed, with epoch and release', async () => {
  expect(await packagesOfRpm(database)).toEqual([
    ['kiln-plain', '1.2.3-1'],
    ['kiln-tool', '1:1.2.3-4.el9'],
  ]);
  const paths = ['rpmdb.sqlite', 'Packages.db', 'Packages'].flatMap((it) => [
    `var/lib/rpm/${it}`,
    `usr/lib/sysimage/rpm/${it}`,
  ]);
  expect(paths.filter((it) => !isRpmDatabase(it))).toEqual([]);
  expect(['home/rpmdb.sqlite', 'var/lib/rpm/Packages.db.old', 'Packages'].filter(isRpmDatabase)).toEqual([]);
});

it.each(Object.entries(older))(
  'reads %s of other rpms, and nothing of what is cut or led in circles',
  async (_, bytes) => {
    const found = [
      ['kiln-plain', '1.2.3-1'],
      ['kiln-tool', '1:1.2.3-4.el9'],
    ];
    expect((await packagesOfRpm(bytes))?.sort()).toEqual(found);
    for (const size of [16, 100, 600, 2048, 4000])
      expect([undefined, []]).toContainEqual(await packagesOfRpm(bytes.subarray(0, size)));
    // Whatever stands in any of its bytes, it comes to an end without harm.
    for (let at = 0; at < bytes.length; at += 3) {
      const wrong = Buffer.from(bytes);
      wrong.fill(0xff, at, Math.min(at + 4, bytes.length));
      expect((await packagesOfRpm(wrong))?.length ?? 0).toBeLessThanOrEqual(2);
    }
  },
);

it('is not led into endless work by packages that share their bytes', async () => {
  const wrong = Buffer.from(older['Packages.db']);
  const slots = wrong.subarray(32, 4096);
  // Each slot says that it has the first package.
  for (let at = 16; at < slots.length; at += 16) slots.copy(slots, at, 0, 16);
  expect(await packagesOfRpm(wrong)).toBeUndefined();

  // Each page that has a part of a package has one byte of it, and names itself as the next.
  const looped = Buffer.from(older.Packages);
  for (let page = 1; page * 512 < looped.length; page++) {
    if (looped[page * 512 + 25] !== 7) continue;
    looped.writeUInt32LE(page, page * 512 + 16);
    looped.writeUInt16LE(1, page * 512 + 22);
  }
  expect(await packagesOfRpm(looped)).toBeUndefined();
});

it('reads a name that a header has many times once, and none that does not end', () => {
  const entries = 10_000;
  const header = Buffer.alloc(8 + entries * 16 + 100_000, 'x');
  header.writeUInt32BE(entries, 0);
  for (let n = 0; n < entries; n++)
    for (const [at, it] of [1000, 6, 0, 1].entries()) header.writeUInt32BE(it, 8 + n * 16 + at * 4);
  expect(packageOfHeader(header)).toBeUndefined();
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
