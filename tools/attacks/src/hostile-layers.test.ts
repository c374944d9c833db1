import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import { openLayerReader } from '@kiln/facts';
import { testsAll } from '@kiln/kit/testing';
import { pack } from 'tar-stream';

const reader = openLayerReader(new URL('../../../libs/facts/dist/layer-worker.js', import.meta.url));
const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
/** As a registry sends it. */
function* chunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
const read = (bytes: Buffer, mediaType = gzip, digest = digestOf(bytes), signal = AbortSignal.timeout(60_000)) =>
  reader.read(Readable.from(chunks(bytes)), { digest, mediaType }, signal);

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const it of stream) all.push(it);
  return Buffer.concat(all);
}
const packed = async (fill: (tar: ReturnType<typeof pack>) => Promise<void>): Promise<Buffer> => {
  const tar = pack();
  const filled = fill(tar).then(() => tar.finalize());
  const bytes = await collect(tar.pipe(createGzip({ level: 1 })));
  await filled;
  return bytes;
};
const entry = (tar: ReturnType<typeof pack>, name: string, content: string | Buffer = '') =>
  new Promise<void>((done, fail) => tar.entry({ name }, content, (error) => (error ? fail(error) : done())));

it('refuses what is no whole tar, and bytes that are others than their digest', async () => {
  const good = await packed((tar) => entry(tar, 'etc/passwd', 'root:x:0:0::/root:/bin/sh\n'));
  expect((await read(good)).files).toBe(1);
  await expect(read(good, gzip, digestOf(Buffer.from('x')))).rejects.toMatchObject({ code: 'LayerUnreadable', message: expect.stringContaining('and not sha256:') as string }); // prettier-ignore
  for (const bad of [Buffer.alloc(0), Buffer.from('hello'), good.subarray(0, 40), gzipSync('no tar'.repeat(1000))])
    await expect(read(bad)).rejects.toMatchObject({ code: 'LayerUnreadable' });
  await expect(read(good, 'application/vnd.oci.image.layer.v1.tar+zstd')).rejects.toMatchObject({ code: 'LayerUnreadable' }); // prettier-ignore
});

/** A tar's header, as POSIX has it. */
function header(name: string, size: number, type = '0'): Buffer {
  const block = Buffer.alloc(512);
  block.write(name);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.fill(' ', 148, 156);
  block.write(type, 156);
  block.write('ustar\0', 257);
  let sum = 0;
  for (const it of block) sum += it;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

const thousands = testsAll ? 1000 : 100;
const mebibytes = testsAll ? 2048 : 512;

it('reads a million entries, and gigabytes out of a few MiB, in bounded memory', async () => {
  function* raw(): Generator<Buffer> {
    const zeros = Buffer.alloc(1 << 20);
    yield header('data/zeros', mebibytes * 2 ** 20);
    for (let n = 0; n < mebibytes; n++) yield zeros;
    for (let n = 0; n < thousands; n++)
      yield Buffer.concat(Array.from({ length: 1000 }, (_, m) => header(`opt/many/${n}/${m}`, 0)));
    yield Buffer.alloc(1024);
  }
  const bomb = await collect(Readable.from(raw()).pipe(createGzip({ level: 1 })));
  const before = process.memoryUsage().rss;
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 50);
  const facts = await read(bomb).finally(() => clearInterval(timer));
  expect(facts).toMatchObject({ files: thousands * 1000 + 1, bytes: mebibytes * 2 ** 20, cut: true });
  expect(facts.entries.length).toBeLessThanOrEqual(30_000);
  expect((peak - before) / 2 ** 20).toBeLessThan(250);
});

it('ends a layer that takes too much memory or time, and nothing else with it', async () => {
  // One header that names gigabytes of attributes.
  function* endless(): Generator<Buffer> {
    yield header('././@PaxHeader', 0o77777777777, 'x');
    for (;;) yield Buffer.alloc(65_536, 'a');
  }
  await expect(
    reader.read(Readable.from(endless()), { digest: 'sha256:x', mediaType: 'application/vnd.oci.image.layer.v1.tar' }, AbortSignal.timeout(30_000)), // prettier-ignore
  ).rejects.toMatchObject({ code: 'LayerUnreadable' });
  async function* silent(): AsyncGenerator<Buffer> {
    yield Buffer.from([0x1f, 0x8b]);
    await new Promise((done) => setTimeout(done, 60_000).unref());
  }
  const startedAt = performance.now();
  await expect(
    reader.read(silent(), { digest: 'sha256:x', mediaType: gzip }, AbortSignal.timeout(500)),
  ).rejects.toMatchObject({ code: 'LayerUnreadable', message: expect.stringContaining('too long') as string });
  expect(performance.now() - startedAt).toBeLessThan(30_000);
  // Names that lead out are names.
  const odd = await packed(async (tar) => {
    for (const it of [
      '../../etc/passwd',
      '/etc/passwd',
      'a\0b',
      '.wh.',
      '.wh..',
      'x/.wh..wh..opq',
      `${'d/'.repeat(400)}f`,
    ])
      await entry(tar, it, 'x');
  });
  expect((await read(odd)).cut).toBe(false);
});

it('unpacks zstd that becomes gigabytes step by step, and refuses a frame that wants them at once', async () => {
  const zstd = 'application/vnd.oci.image.layer.v1.tar+zstd';
  // A frame with a window of 1 MiB, and blocks that say one byte 128 KiB times, in four bytes each.
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  const block = Buffer.from([0x02, 0x00, 0x10, 0x00]);
  const last = Buffer.from([0x03, 0x00, 0x10, 0x00]);
  const blocks = Array.from({ length: 12_000 }, () => block);
  const bomb = Buffer.concat([magic, Buffer.from([0x00, 0x50]), ...blocks, last]);
  let peak = 0;
  const before = process.memoryUsage().rss;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss - before)), 20);
  // Zeros are a tar without entries.
  expect((await read(bomb, zstd)).files).toBe(0);
  clearInterval(timer);
  expect(peak / 2 ** 20).toBeLessThan(300);
  const greedy = Buffer.concat([magic, Buffer.from([0x00, 0xa8]), ...Array.from({ length: 10 }, () => block)]);
  await expect(read(greedy, zstd)).rejects.toMatchObject({ message: expect.stringContaining('at once') as string });
});
