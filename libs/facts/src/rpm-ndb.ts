import type { TakeHeader } from './rpm-header.ts';

// lib/backend/ndb/rpmpkg.c of rpm: a head, slots that tell where packages are, and the packages. All is little-endian.
const magic = { file: 'RpmP', slot: 'Slot', blob: 'BlbS' };
const pageBytes = 4096;
const slotBytes = 16;
const blockBytes = 16;
const blobHeadBytes = 16;

const says = (bytes: Buffer, at: number, text: string): boolean => bytes.toString('latin1', at, at + 4) === text;

export const isNdb = (bytes: Buffer): boolean => says(bytes, 0, magic.file);

/**
 * Reads the database of rpm as SUSE builds it.
 * @throws Error where it is none
 */
export function readNdb(bytes: Buffer, take: TakeHeader): void {
  const slotsEnd = bytes.readUInt32LE(12) * pageBytes;
  // No two packages share bytes: a database that says so would be read for ever.
  let left = bytes.length;
  // The head takes the place of two slots.
  for (let at = 2 * slotBytes; at + slotBytes <= slotsEnd; at += slotBytes) {
    if (!says(bytes, at, magic.slot)) throw new Error(`there is no slot at ${at}`);
    // A slot that is free names no package.
    if (bytes.readUInt32LE(at + 4) === 0) continue;
    const blob = bytes.readUInt32LE(at + 8) * blockBytes;
    const start = blob + blobHeadBytes;
    const end = start + bytes.readUInt32LE(blob + 12);
    left -= end - start;
    if (!says(bytes, blob, magic.blob) || end > bytes.length || left < 0)
      throw new Error(`there is no package at ${blob}`);
    take(bytes.subarray(start, end));
  }
}
