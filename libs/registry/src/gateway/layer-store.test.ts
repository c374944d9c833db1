import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLayerStore } from './layer-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'kiln-layers-'));
afterAll(() => rmSync(dir, { recursive: true }));

const place = { host: 'registry.example.com', tlsMode: 'verify', repository: 'team/base' } as const;
const layer = (bytes: number) => {
  const content = randomBytes(bytes);
  return { content, digest: `sha256:${createHash('sha256').update(content).digest('hex')}` };
};
async function* inPieces(content: Buffer, failure?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += 1000) {
    await sleep(0);
    yield content.subarray(at, at + 1000);
  }
  if (failure) throw failure;
}
const all = async (bytes: AsyncIterable<Buffer>) => Buffer.concat((await Readable.from(bytes).toArray()) as Buffer[]);
const readBack = async (found: { body: AsyncIterable<Buffer> } | undefined) => found && (await all(found.body));
const left = (folder: string) => readdirSync(join(dir, folder, 'incoming'));

it('gives a layer again to whoever reads it at the same place, and to nobody else', async () => {
  const store = await openLayerStore(join(dir, 'places'), 1 << 20);
  const { content, digest } = layer(10_500);
  expect(await store.read(place, digest)).toBeUndefined();
  expect(await all(store.keep(place, digest, inPieces(content)))).toEqual(content);
  const found = await store.read(place, digest);
  expect(found?.length).toBe(10_500);
  expect(await readBack(found)).toEqual(content);
  const others = [
    { ...place, repository: 'team/other' },
    { ...place, host: 'registry.example.com:5000' },
    { ...place, tlsMode: 'http' as const },
    { ...place, caPem: 'another CA' },
  ];
  for (const it of others) expect(await store.read(it, digest)).toBeUndefined();
  // The other place has given it, too.
  await all(store.keep(others[0]!, digest, inPieces(content)));
  expect(await readBack(await store.read(others[0]!, digest))).toEqual(content);
  expect(await readBack(await store.read(place, digest))).toEqual(content);
});

it('keeps nothing of a layer that broke off or that nobody read to its end', async () => {
  const store = await openLayerStore(join(dir, 'broken'), 1 << 20);
  const { content, digest } = layer(5000);
  await expect(all(store.keep(place, digest, inPieces(content, new Error('broke off'))))).rejects.toThrow('broke off');
  for await (const chunk of store.keep(place, digest, inPieces(content))) if (chunk.length > 0) break;
  expect(await store.read(place, digest)).toBeUndefined();
  expect(left('broken')).toEqual([]);
});

it('lets go of the layers that were not read for the longest time', async () => {
  const store = await openLayerStore(join(dir, 'bound'), 10_000);
  const [first, second, third, giant] = [layer(4000), layer(4000), layer(4000), layer(20_000)];
  for (const { content, digest } of [first, second]) {
    await all(store.keep(place, digest, inPieces(content)));
    await sleep(10);
  }
  await readBack(await store.read(place, first.digest));
  const open = await store.read(place, second.digest);
  await sleep(10);
  await readBack(await store.read(place, first.digest));
  await all(store.keep(place, third.digest, inPieces(third.content)));
  expect(await store.read(place, second.digest)).toBeUndefined();
  expect(await readBack(open)).toEqual(second.content);
  expect(await readBack(await store.read(place, first.digest))).toEqual(first.content);
  expect(await all(store.keep(place, giant.digest, inPieces(giant.content)))).toEqual(giant.content);
  expect(await store.read(place, giant.digest)).toBeUndefined();
  expect(await readBack(await store.read(place, first.digest))).toEqual(first.content);
});

it('forgets at its start what was on its way when the builder ended', async () => {
  mkdirSync(join(dir, 'again/incoming'), { recursive: true });
  writeFileSync(join(dir, 'again/incoming/half'), 'half');
  await openLayerStore(join(dir, 'again'), 1000);
  expect(left('again')).toEqual([]);
});

it('passes a layer on where the disk does not take it', async () => {
  const store = await openLayerStore(join(dir, 'gone'), 1 << 20);
  rmSync(join(dir, 'gone'), { recursive: true });
  const { content, digest } = layer(3000);
  expect(await all(store.keep(place, digest, inPieces(content)))).toEqual(content);
  expect(await store.read(place, digest)).toBeUndefined();
});
