import { headerBytesMax, type TakeHeader } from './rpm-header.ts';

// A hash table of Berkeley DB 4 and 5 (src/dbinc/db_page.h). The order of its bytes is that of the machine that wrote it.
const hashMagic = 0x061561;
const magicAt = 12;
const pageSizeAt = 20;
const lastPageAt = 32;
const pageHeadBytes = 26;
const pageTypes = { unsortedHash: 2, overflow: 7, hash: 13 };
/** Of an entry: its bytes follow, or it names the first page that has them. */
const entryTypes = { here: 1, elsewhere: 3 };

export const isBerkeley = (bytes: Buffer): boolean =>
  bytes.length >= 512 && [bytes.readUInt32LE(magicAt), bytes.readUInt32BE(magicAt)].includes(hashMagic);

/** Numbers as the table's machine wrote them. */
class Table {
  readonly #bytes: Buffer;
  readonly #isLittle: boolean;
  readonly pageBytes: number;
  readonly pages: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#isLittle = bytes.readUInt32LE(magicAt) === hashMagic;
    this.pageBytes = this.#u32(pageSizeAt);
    this.pages = this.#u32(lastPageAt) + 1;
    if (this.pageBytes < 512 || this.pageBytes > 65_536 || this.pages * this.pageBytes > bytes.length)
      throw new Error(`${this.pages} pages of ${this.pageBytes} bytes are not there`);
  }

  #u32(at: number): number {
    return this.#isLittle ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at);
  }

  u16(page: number, at: number): number {
    const where = page * this.pageBytes + at;
    return this.#isLittle ? this.#bytes.readUInt16LE(where) : this.#bytes.readUInt16BE(where);
  }

  u32(page: number, at: number): number {
    return this.#u32(page * this.pageBytes + at);
  }

  type(page: number): number {
    return this.#bytes.readUInt8(page * this.pageBytes + pageHeadBytes - 1);
  }

  bytes(page: number, start: number, end: number): Buffer {
    if (start > end || end > this.pageBytes) throw new Error(`page ${page} has no bytes ${start} to ${end}`);
    return this.#bytes.subarray(page * this.pageBytes + start, page * this.pageBytes + end);
  }
}

/** @param spare counts down the pages that may still be read: none belongs to two entries */
function joined(table: Table, first: number, length: number, spare: { pages: number }): Buffer {
  if (length > headerBytesMax) throw new Error(`an entry of ${length} bytes`);
  const parts: Buffer[] = [];
  let left = length;
  for (let page = first; page !== 0 && left > 0; page = table.u32(page, 16)) {
    if (page >= table.pages || table.type(page) !== pageTypes.overflow) throw new Error(`page ${page} is no overflow`);
    const part = table.bytes(page, pageHeadBytes, pageHeadBytes + table.u16(page, 22));
    if (spare.pages-- <= 0) throw new Error('entries share pages');
    parts.push(part);
    left -= part.length;
  }
  if (left !== 0) throw new Error(`${left} bytes of an entry are not there`);
  return Buffer.concat(parts);
}

/**
 * Reads the database of rpm before 4.16 (CentOS 7 and 8, openEuler 20.03, Amazon Linux 2).
 * @throws Error where it is none
 */
export function readBerkeley(bytes: Buffer, take: TakeHeader): void {
  const table = new Table(bytes);
  const spare = { pages: table.pages };
  for (let page = 1; page < table.pages; page++) {
    if (![pageTypes.hash, pageTypes.unsortedHash].includes(table.type(page))) continue;
    const entries = table.u16(page, 20);
    if (pageHeadBytes + 2 * entries > table.pageBytes) throw new Error(`page ${page} has no ${entries} entries`);
    // Keys and what they lead to, in turn; they lie from the page's end to its middle.
    for (let n = 1; n < entries; n += 2) {
      const at = table.u16(page, pageHeadBytes + 2 * n);
      const end = table.u16(page, pageHeadBytes + 2 * (n - 1));
      const entry = table.bytes(page, at, end);
      const isElsewhere = entry[0] === entryTypes.elsewhere;
      if (!isElsewhere && entry[0] !== entryTypes.here) continue;
      const data = isElsewhere
        ? joined(table, table.u32(page, at + 4), table.u32(page, at + 8), spare)
        : entry.subarray(1);
      // The number of the last package stands there, too, without a key of its own kind.
      if (data.length > 8) take(data);
    }
  }
}
