import { createGunzip } from 'node:zlib';
import { Fault } from '@kiln/domain';
import { unzstd } from './unzstd.ts';

const isGzip = (head: Buffer): boolean => head[0] === 0x1f && head[1] === 0x8b;
const isZstd = (head: Buffer): boolean => head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528;

async function* gunzip(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const stream = createGunzip();
  const feeding = (async () => {
    for await (const chunk of bytes)
      if (!stream.write(chunk)) await new Promise((resolve) => stream.once('drain', resolve).once('close', resolve));
    stream.end();
  })();
  // Whoever reads the stream learns of it.
  feeding.catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    for await (const chunk of stream) yield chunk as Buffer;
    await feeding;
  } finally {
    stream.destroy();
  }
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/**
 * The bytes of an archive that may be packed with gzip or zstd, which its first bytes tell.
 * @throws Fault ContextInvalid when it is damaged
 */
export async function* decompressed(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const rest = bytes[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await rest.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const all = joined(head, rest);
  if (!isGzip(head) && !isZstd(head)) {
    yield* all;
    return;
  }
  try {
    yield* isGzip(head) ? gunzip(all) : unzstd(all);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Fault('ContextInvalid', `the archive cannot be unpacked: ${why}`, {}, error);
  }
}
