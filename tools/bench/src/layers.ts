import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createWriteStream, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { eventually } from '@kiln/kit/testing';
import { memoryMiB, root } from '@kiln/stack';
import { manifestType, pushBlob, pushBlobFile, pushManifest } from '@kiln/stack/client';
import { pack } from 'tar-stream';
import type { BenchStack } from './bench-stack.ts';
import { type Row, timed } from './measure.ts';

const MiB = 2 ** 20;
const types = {
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};
/** Of one layer, compressed: what images of PyTorch with CUDA have as their largest one is several times that. */
const layerBytes = 512 * MiB;
/** Python packages of a layer, each with a few files. */
const packages = 300;

interface Blob {
  digest: string;
  size: number;
  /** SHA-256 of what is in it. */
  diffId: string;
}

const noise = randomBytes(64 * MiB);
const text = readFileSync(join(root, 'package-lock.json'));
const slice = (of: Buffer, length: number): Buffer => {
  const at = randomInt(of.length - length);
  return of.subarray(at, at + length);
};
/** As compressible as libraries are: a half of it does not compress, and a half does. */
const content = (kib: number): Buffer =>
  Buffer.concat(Array.from({ length: kib / 32 }, () => [slice(noise, 16_384), slice(text, 16_384)]).flat());

const measured = (hash: ReturnType<typeof createHash>): Transform =>
  new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });

/** Writes a layer of many packages into a file. */
async function makeLayer(file: string, number: number): Promise<Blob> {
  const tar = pack();
  const [outside, inside] = [createHash('sha256'), createHash('sha256')];
  const written = pipeline(tar, measured(inside), createGzip({ level: 1 }), measured(outside), createWriteStream(file));
  const add = (name: string, body: Buffer | string) =>
    new Promise<void>((done, fail) => tar.entry({ name }, body, (error) => (error ? fail(error) : done())));
  const site = 'usr/lib/python3/dist-packages';
  // A little more than half is left of what goes in.
  const each = (layerBytes / packages / 0.58 / 1024 / 4 / 32) | 0;
  for (let n = 0; n < packages; n += 1) {
    const name = `made-${number}-${n}`;
    await add(`${site}/${name}-1.${n}.dist-info/METADATA`, `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.${n}\n`);
    for (const part of ['a', 'b', 'c', 'd']) await add(`${site}/${name}/${part}.so`, content(each * 32));
  }
  tar.finalize();
  await written;
  const digest = (hash: ReturnType<typeof createHash>) => `sha256:${hash.digest('hex')}`;
  return { digest: digest(outside), diffId: digest(inside), size: statSync(file).size };
}

async function pushTwice(host: string, repository: string, layers: Blob[]): Promise<void> {
  const document = {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/usr/bin'] },
    rootfs: { type: 'layers', diff_ids: layers.map((it) => it.diffId) },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: types.config, ...(await pushBlob(host, repository, JSON.stringify(document))) },
    layers: layers.map((it) => ({ mediaType: types.layer, digest: it.digest, size: it.size })),
  };
  for (const tag of ['one', 'two']) await pushManifest(host, repository, tag, manifest, manifestType);
}

/** Registers an image and waits until it has been read; how many packages were found. */
async function read({ client, account, database, registryHost }: BenchStack, name: string): Promise<number> {
  const answer = await client.modelarts('POST', `/v1/${account.projectId}/images`, {
    body: { swr_path: `${registryHost}/${name}` },
  });
  if (answer.status !== 200) throw new Error(answer.text);
  const { id } = answer.body as { id: string };
  return await eventually(
    async () => {
      const { rows } = await database.db.$client.query<{ state: string; error: unknown; n: number }>(
        `SELECT i.state, i.error, (SELECT count(*)::int FROM image_packages p WHERE p.inspection_id = i.id) AS n
         FROM images m JOIN inspections i ON i.id = m.inspection_id WHERE m.id = $1`,
        [id],
      );
      if (rows[0]?.state === 'failed') throw new Error(JSON.stringify(rows[0].error));
      return rows[0]?.state === 'done' ? rows[0].n : undefined;
    },
    `${name} to be read`,
    1_200_000,
  );
}

/** An image of many packages and `gib` GiB: how long it takes to be read, beside `gunzip` and a second reading. */
export async function benchLayers(stack: BenchStack, gib: number): Promise<Row[]> {
  const { registryHost, dir, apps } = stack;
  const repository = 'bench/large';
  const count = Math.round((gib * 1024 * MiB) / layerBytes);
  const file = join(dir, 'layer.tar.gz');
  const layers: Blob[] = [];
  let unzipMs = 0;
  for (let n = 0; n < count; n += 1) {
    const layer = await makeLayer(file, n);
    await pushBlobFile(registryHost, repository, file, layer.digest);
    unzipMs += await timed(() => finished(spawn('sh', ['-c', `gunzip < '${file}' > /dev/null`]).stdout));
    layers.push(layer);
  }
  rmSync(file);
  await pushTwice(registryHost, repository, layers);
  const registrar = apps.find((it) => it.name === 'registrar')?.process;
  if (!registrar) throw new Error('there is no registrar');
  const before = memoryMiB(registrar.pid);
  let found = 0;
  const ms = await timed(async () => (found = await read(stack, `${repository}:one`)));
  const peak = memoryMiB(registrar.pid, 'peak');
  const againMs = await timed(() => read(stack, `${repository}:two`));
  const mb = layers.reduce((sum, it) => sum + it.size, 0) / 1e6;
  const what = `an image of ${(mb / 1000).toFixed(1)} GB in ${count} layers`;
  const rate = (took: number) => `${(took / 1000).toFixed(1)} s, ${((mb / took) * 1000).toFixed(0)} MB/s`;
  return [
    { what: `${what}, ${found} packages`, ours: rate(ms), other: `gunzip: ${rate(unzipMs)}`, ratio: ms / unzipMs, aim: '–' },
    { what: 'the same image by another tag', ours: rate(againMs), other: rate(ms), ratio: againMs / ms, aim: '–' },
    { what: 'memory of the registrar', ours: `${peak.toFixed(0)} MB`, other: `idle: ${before.toFixed(0)} MB`, ratio: peak / before, aim: '–' },
  ]; // prettier-ignore
}
