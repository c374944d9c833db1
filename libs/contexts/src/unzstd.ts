import { Decompress } from 'fzstd';

/** A few bytes may stand for very many: so many at a time become 8 MiB at most. */
const stepBytes = 256;

/** What a frame may want at once, in bytes: as much as zstd's own program grants. */
const windowMax = 128 << 20;

/** The bytes of the longest header of a frame. */
const headerBytes = 18;

/** @throws Error for a frame that wants more memory than it may (RFC 8878, 3.1.1.1) */
function checkWindow(head: Buffer): void {
  const descriptor = head.readUInt8(4);
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 1;
  const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const window = head.readUInt8(5);
  const isSingle = (descriptor & 0x20) !== 0;
  const size = isSingle
    ? sizeBytes === 8
      ? Number(head.readBigUInt64LE(at))
      : head.readUIntLE(at, sizeBytes)
    : 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8);
  if (size > windowMax) throw new Error(`its frame wants ${size} bytes at once`);
}

/**
 * Unpacks zstd as it comes, in bounded memory.
 * @throws Error when it is damaged, ends early, or wants too much memory
 */
export async function* unzstd(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let out: Buffer[] = [];
  const stream = new Decompress((chunk) => out.push(Buffer.from(chunk)));
  function* unpack(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length; at += stepBytes) {
      stream.push(chunk.subarray(at, at + stepBytes));
      yield* out;
      out = [];
    }
  }
  // Nothing is unpacked before the whole header is here.
  let head = Buffer.alloc(0);
  let isChecked = false;
  for await (const chunk of bytes) {
    if (!isChecked) {
      head = Buffer.concat([head, chunk]);
      if (head.length < headerBytes) continue;
      checkWindow(head);
      isChecked = true;
      yield* unpack(head);
    } else yield* unpack(chunk);
  }
  if (!isChecked) {
    checkWindow(Buffer.concat([head, Buffer.alloc(headerBytes)]));
    yield* unpack(head);
  }
  stream.push(new Uint8Array(0), true);
  yield* out;
}
