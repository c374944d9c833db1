import { constants, inflateSync } from 'node:zlib';
import type { PackageSource } from '@kiln/domain';
import { type Place, Seeker } from './seeker.ts';

// What cargo-auditable puts into a program: its packages as JSON, packed by zlib. Where it lies is told at the program's
// end, when it has gone by; so it is found by how it begins.
const beginsWith = '{"packages":[';
/** How many bytes are unpacked to see whether it is that. */
const lookBytes = 128;
/** The most that it may have, packed and unpacked. */
const packedBytesMax = 1 << 20;
const unpackedBytesMax = 2 << 20;
/** How many beginnings are unpacked in one layer; by chance, there is one in some ten million bytes. */
export const looksMax = 2000;

/** zlib's first byte, and its second for each level. */
const first = 0x78;
const seconds = [0x01, 0x5e, 0x9c, 0xda];
/** Codes of `{` and `"` in a block without a table (RFC 1951, 3.2.6), their highest bit first. */
const fixedStart = 0xd5 | (0x4a << 8);

/**
 * Whether what stands behind the first two bytes may be a block that begins with a text: cheap, where unpacking costs a
 * tenth of a millisecond.
 */
function mayBegin(bytes: Buffer, start: number): boolean {
  const bits = (at: number, count: number) =>
    (bytes.readUInt32LE(start + 2 + (at >> 3)) >>> (at & 7)) & ((1 << count) - 1);
  const type = bits(1, 2);
  // What is not packed follows its length, which is there twice.
  if (type === 0) return bytes.toString('latin1', start + 7, start + 9) === beginsWith.slice(0, 2);
  if (type === 1) return bits(3, 16) === fixedStart;
  if (type !== 2 || bits(3, 5) > 29 || bits(8, 5) > 29) return false;
  // The code for lengths of codes: each of n bits takes a 2^n-th of what there is, and nothing may be left over.
  let taken = 0;
  for (let n = 0; n < bits(13, 4) + 4; n++) {
    const length = bits(17 + 3 * n, 3);
    if (length > 0) taken += 128 >> length;
  }
  return taken === 128;
}

/** Unpacks as much as there is. @returns undefined where it is nothing of zlib's */
function inflated(bytes: Buffer): string | undefined {
  try {
    return inflateSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: unpackedBytesMax }).toString(
      'utf8',
    );
  } catch {
    return undefined;
  }
}

/** Crates that are in the program; those that only built it are not. */
function cratesIn(text: string): PackageSource['packages'] {
  const { packages } = JSON.parse(text) as { packages: { name?: unknown; version?: unknown; kind?: unknown }[] };
  return packages.flatMap(({ name, version, kind }) =>
    typeof name === 'string' && typeof version === 'string' && kind !== 'build'
      ? [[name.slice(0, 200), version.slice(0, 200)] as [string, string]]
      : [],
  );
}

/** Looks for the list of crates in programs, chunk by chunk as they are read. */
export class RustCrates {
  readonly #seeker = new Seeker((bytes) => this.#find(bytes), packedBytesMax);
  readonly #looks: { left: number };

  /** @param looks how many beginnings may still be looked at; counted down */
  constructor(looks: { left: number }) {
    this.#looks = looks;
  }

  push(chunk: Buffer): void {
    this.#seeker.push(chunk);
  }

  #find(bytes: Buffer): Place {
    for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
      if (bytes.length - at < lookBytes) return { at, isFound: false };
      if (!seconds.includes(bytes[at + 1] ?? 0) || !mayBegin(bytes, at)) continue;
      if (this.#looks.left-- <= 0) break;
      const text = inflated(bytes.subarray(at, at + lookBytes));
      if (text?.startsWith(beginsWith)) return { at, isFound: true };
    }
    return { at: bytes.length, isFound: false };
  }

  /** @returns the crates that the program is made of; undefined where it does not tell */
  crates(): PackageSource['packages'] | undefined {
    const list = this.#seeker.kept();
    if (!list) return undefined;
    try {
      return cratesIn(inflated(list) ?? '');
    } catch {
      return undefined;
    }
  }
}
