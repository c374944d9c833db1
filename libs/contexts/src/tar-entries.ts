import { Readable } from 'node:stream';
import { Fault } from '@kiln/domain';
import { extract, type Header } from 'tar-stream';
import { decompressed } from './decompress.ts';

/** One header of a tar, and its bytes, which have to be read before the next one comes. */
export interface TarEntry {
  header: Header;
  content: AsyncIterable<Buffer>;
}

const broken = (error: unknown): Fault => {
  if (error instanceof Fault) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new Fault('ContextInvalid', `the archive is no whole tar: ${why}`, {}, error);
};

async function* contentOf(entry: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* entry;
  } catch (error) {
    throw broken(error);
  }
}

/**
 * The entries of a tar, which may be packed with gzip or zstd.
 * @throws Fault ContextInvalid when it is none
 */
export async function* tarEntries(bytes: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  const reader = extract();
  const source = Readable.from(decompressed(bytes), { objectMode: false });
  source.on('error', (error) => reader.destroy(error));
  source.pipe(reader);
  try {
    for await (const entry of reader) {
      yield { header: entry.header, content: contentOf(entry as AsyncIterable<Buffer>) };
      entry.resume();
    }
  } catch (error) {
    throw broken(error);
  } finally {
    source.destroy();
    reader.destroy();
  }
}
