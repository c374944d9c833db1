import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** A value longer than this is left out: what says it again is in BuildKit's status. */
const valueBytesMax = 32_768;
/** No daemon that works sends more in one block of headers. */
const blockBytesMax = 4 << 20;
const tooLong = Buffer.from('the words of the error are too long to be shown');

const frameHeadBytes = 9;
const frameTypes = { headers: 1, continuation: 9 } as const;
/** The most that every HTTP/2 takes. */
const frameBytesMax = 16_384;
const flags = { endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/**
 * The daemon's side of a connection, with short headers: gRPC's errors come as trailers, and BuildKit's have the whole
 * Dockerfile in them. Node.js gives the connection up, and never says so, at 64 KiB of them.
 * @see https://www.rfc-editor.org/rfc/rfc9113#section-4.1 for frames, rfc7541#section-6 for fields
 */
export function limitHeaders(socket: Socket): Duplex {
  let waiting: Buffer = Buffer.alloc(0);
  /** Bytes of a frame that are handed on as they come. */
  let passing = 0;
  let block: { head: Buffer; parts: Buffer[]; bytes: number } | undefined;

  /** Takes a frame that is there as a whole. */
  const takeHeaders = (frame: Buffer): Buffer | undefined => {
    const flag = frame[4] ?? 0;
    let payload = frame.subarray(frameHeadBytes);
    if (frame[3] === frameTypes.headers) {
      if (flag & flags.padded) payload = payload.subarray(1, payload.length - (payload[0] ?? 0));
      if (flag & flags.priority) payload = payload.subarray(5);
      block = { head: Buffer.from(frame.subarray(0, frameHeadBytes)), parts: [], bytes: 0 };
    }
    if (!block) throw new Error('the daemon continues headers that it did not begin');
    block.parts.push(payload);
    block.bytes += payload.length;
    if (block.bytes > blockBytesMax) throw new Error('the daemon sends headers without end');
    if (!(flag & flags.endHeaders)) return undefined;
    const { head, parts } = block;
    block = undefined;
    return framed(head, shorten(Buffer.concat(parts)));
  };

  const take = (bytes: Buffer): Buffer[] => {
    const out: Buffer[] = [];
    waiting = waiting.length > 0 ? Buffer.concat([waiting, bytes]) : bytes;
    for (;;) {
      if (passing > 0) {
        const some = waiting.subarray(0, passing);
        out.push(some);
        passing -= some.length;
        waiting = waiting.subarray(some.length);
      }
      if (passing > 0 || waiting.length < frameHeadBytes) return out;
      const length = frameHeadBytes + waiting.readUIntBE(0, 3);
      const type = waiting[3];
      if (type !== frameTypes.headers && type !== frameTypes.continuation) passing = length;
      else if (waiting.length < length) return out;
      else {
        const frame = takeHeaders(waiting.subarray(0, length));
        if (frame) out.push(frame);
        waiting = waiting.subarray(length);
      }
    }
  };

  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (bytes: Buffer) => {
    try {
      for (const it of take(bytes)) if (!stream.push(it)) socket.pause();
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  socket.on('end', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  socket.on('close', () => stream.destroy());
  return stream;
}

/** A block of fields in as many frames as it needs; the first one is like `head`. */
function framed(head: Buffer, fields: Buffer): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at === 0 || at < fields.length; at += frameBytesMax) {
    const part = fields.subarray(at, at + frameBytesMax);
    const own = Buffer.from(head);
    own.writeUIntBE(part.length, 0, 3);
    own[3] = at === 0 ? frameTypes.headers : frameTypes.continuation;
    // The end of the stream is told by the first one.
    const kept = at === 0 ? (head[4] ?? 0) & flags.endStream : 0;
    own[4] = kept | (at + frameBytesMax >= fields.length ? flags.endHeaders : 0);
    out.push(own, part);
  }
  return Buffer.concat(out);
}

/** Leaves long values out of a block of fields. What the other side may refer to later is kept: it is short. */
function shorten(block: Buffer): Buffer {
  if (block.length <= valueBytesMax) return block;
  const out: Buffer[] = [];
  let at = 0;
  const integer = (bits: number): number => {
    const most = 2 ** bits - 1;
    let value = (block[at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = block[at++];
      if (byte === undefined || shift > 28) throw new Error('the daemon sends headers that cannot be read');
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const string = (): number => {
    const length = integer(7);
    at += length;
    return length;
  };
  while (at < block.length) {
    const begin = at;
    const first = block[at] ?? 0;
    let isLong = false;
    let value = at;
    if (first >= 128) integer(7);
    else if (first >= 32 && first < 64) integer(5);
    else {
      const isIndexed = first >= 64;
      if (integer(isIndexed ? 6 : 4) === 0) string();
      value = at;
      isLong = string() > valueBytesMax && !isIndexed;
    }
    if (at > block.length) throw new Error('the daemon sends headers that cannot be read');
    if (isLong) out.push(block.subarray(begin, value), Buffer.from([tooLong.length]), tooLong);
    else out.push(block.subarray(begin, at));
  }
  return Buffer.concat(out);
}
