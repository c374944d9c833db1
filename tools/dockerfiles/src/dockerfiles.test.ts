import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sampleOf, testStack } from '@kiln/kit/testing';
import { ensureClientsRoot, ensureDebianBase } from '@kiln/stack';
import { openDocker, openKiln } from './builders.ts';
import { type Case, caseFiles, readCases } from './cases.ts';
import { readImage } from './image.ts';

const stack = testStack();
const host = stack.registryHost;
const dir = join(stack.dir, `dockerfiles-${randomUUID()}`);
const debian = await ensureDebianBase(host, join(stack.dir, 'work'));
const kiln = await openKiln(host, stack.engineRoot, join(dir, 'kiln'));
const buildx = await openDocker(host, await ensureClientsRoot(), join(dir, 'docker'));
afterAll(async () => {
  await kiln.close();
  await buildx.close();
  await rm(dir, { recursive: true, force: true });
});

const base = `${host}/kiln/busybox:base`;
const found = await fetch(`http://${host}/v2/kiln/busybox/manifests/base`, {
  method: 'HEAD',
  headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
});
const digest = found.headers.get('docker-content-digest') ?? '';
const repository = `dockerfiles-${randomUUID().slice(0, 8)}`;

const filledIn = (it: Case): Case => ({
  ...it,
  dockerfile: it.dockerfile
    .replaceAll('$BASE', base)
    .replaceAll('$DEBIAN', debian)
    .replaceAll('$HOST', host)
    .replaceAll('$CASES', `${host}/${repository}`)
    .replaceAll('$DIGEST', digest),
});

for (const it of readCases('bases.txt'))
  if ((await buildx.build(filledIn(it), `${repository}/${it.name}`, '1')) !== undefined) throw new Error(it.name);

describe.each(caseFiles())('BuildKit and Kiln make the same of %s', (file) => {
  it.concurrent.each(sampleOf(readCases(file)).map((it) => [it.name, it] as const))('%s', async (name, given) => {
    const tag = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
    const [theirs, ours] = await Promise.all([
      buildx.build(filledIn(given), `${repository}/theirs`, tag),
      kiln.build(filledIn(given), `${repository}/ours`, tag),
    ]);
    if (given.builds !== 'either') expect([theirs, theirs === undefined]).toEqual([theirs, given.builds === 'yes']);
    expect({ ours, failed: ours !== undefined }).toEqual({ ours, failed: theirs !== undefined });
    if (theirs !== undefined) return;
    expect(await readImage(host, `${repository}/ours`, tag)).toEqual(
      await readImage(host, `${repository}/theirs`, tag),
    );
  });
});
