import type { PackageSource } from '@kiln/domain';
import { isBerkeley, readBerkeley } from './rpm-berkeley.ts';
import { packageOfHeader } from './rpm-header.ts';
import { isNdb, readNdb } from './rpm-ndb.ts';
import { isSqlite, readSqlite } from './rpm-sqlite.ts';

/** Where rpm keeps what is installed: by SQLite, by SUSE's own database, and by Berkeley DB before its version 4.16. */
export const isRpmDatabase = (path: string): boolean =>
  /^(?:var\/lib\/rpm|usr\/lib\/sysimage\/rpm|usr\/share\/rpm)\/(?:rpmdb\.sqlite|Packages(?:\.db)?)$/.test(path);

/** How many packages are read of one; the largest systems have some thousand. */
const packagesMax = 100_000;

/** The most bytes of one: a system of a thousand packages has some fifty million. */
export const rpmBytesMax = 64 << 20;

/**
 * @param bytes of a file of which isRpmDatabase is true
 * @returns the packages in it; undefined where it is no database of rpm's
 */
export async function packagesOfRpm(bytes: Buffer): Promise<PackageSource['packages'] | undefined> {
  if (bytes.length === 0) return [];
  const packages: PackageSource['packages'] = [];
  const take = (header: Uint8Array): void => {
    const found = packages.length < packagesMax ? packageOfHeader(header) : undefined;
    if (found) packages.push(found);
  };
  try {
    if (isSqlite(bytes)) await readSqlite(bytes, take);
    else if (isNdb(bytes)) readNdb(bytes, take);
    else if (isBerkeley(bytes)) readBerkeley(bytes, take);
    else return undefined;
    return packages;
  } catch {
    return undefined;
  }
}
