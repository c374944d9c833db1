import { constants, inflateSync } from 'node:zlib';
import { type PackageSource } from '@kiln/domain';

// What cargo-auditable puts into a program: its packages as JSON, packed by zlib. Where it lies is told at the program's
// end, when it has gone by; so it is found by how it begins.
const beginsWith = '{"packages":[';
/** How many bytes are unpacked to see whether it is that. */
const lookBytes = 128;
/** The most that it may have, packed and unpacked. */
const packedBytesMax = 1 << 20;
const unpackedBytesMax = 8 << 20;
/** How many beginnings are unpacked in one layer; by chance, there is one in some ten million bytes. */
export const looksMax = 2000;

/** zlib's first byte, and its second for each level. */
const first = 0x78;
const seconds = [0x01, 0x5e, 0x9c, 0xda];
/** Codes of `{` and `"` in a block without a table (RFC 1951, 3.2.6), their highest bit first. */
const fixedStart = 0xd5 | (0x4a << 8);

/** Whether bytes may be a stream of zlib's that begins with a text: cheap, where unpacking costs a tenth of a millisecond. */
function mayBegin(bytes: Buffer): boolean {
  if (bytes[0] !== first || !seconds.includes(bytes[1] ?? 0)) return false;
  const bits = (at: number, count: number) => (bytes.readUInt32LE(2 + (at >> 3)) >>> (at & 7)) & ((1 << count) - 1);
  const type = bits(1, 2);
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
function inflated(bytes: Buffer, maxOutputLength: number): string | undefined {
  try {
    return inflateSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength }).toString('utf8');
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
  /** What may be the beginning of a list that goes on in the next chunk; all since it, once it was found. */
  #kept: Buffer = Buffer.alloc(0);
  #isFound = false;
  readonly #looks: { left: number };

  /** @param looks how many beginnings may still be looked at; counted down */
  constructor(looks: { left: number }) {
    this.#looks = looks;
  }

  push(chunk: Buffer): void {
    if (this.#isFound && this.#kept.length >= packedBytesMax) return;
    const bytes = Buffer.concat([this.#kept, chunk]);
    this.#kept = this.#isFound ? bytes : this.#find(bytes);
  }

  #find(bytes: Buffer): Buffer {
    for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
      const rest = bytes.subarray(at);
      if (rest.length < lookBytes) return rest;
      if (!mayBegin(rest)) continue;
      if (this.#looks.left-- <= 0) return Buffer.alloc(0);
      if (!inflated(rest.subarray(0, lookBytes), unpackedBytesMax)?.startsWith(beginsWith)) continue;
      this.#isFound = true;
      return rest;
    }
    return Buffer.alloc(0);
  }

  /** @returns the crates that the program is made of; undefined where it does not tell */
  crates(): PackageSource['packages'] | undefined {
    if (!this.#isFound) return undefined;
    try {
      return cratesIn(inflated(this.#kept, unpackedBytesMax) ?? '');
    } catch {
      return undefined;
    }
  }
}
