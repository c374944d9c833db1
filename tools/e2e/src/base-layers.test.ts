import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pushFiles, runQuietly } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

/** Bytes of blobs in the registry's storage. */
const stored = (): number => {
  const folder = join(kiln.stack.dir, 'registry/blobs/docker/registry/v2/blobs');
  return readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, it) => sum + (it.isFile() ? statSync(join(it.parentPath, it.name)).size : 0),
    0,
  );
};

it('pushes about 1 MB for a build that adds 1 MB to a base of 200 MB, to another repository too', async () => {
  const folder = join(kiln.stack.dir, 'big');
  const copies = [1, 2, 3, 4].map((n) => `head -c 50000000 /dev/urandom > '${folder}/data/${n}'`);
  await runQuietly([
    'sh',
    '-c',
    [`mkdir -p '${folder}/data'`, `cp -a '${kiln.stack.dir}/busybox-rootfs/.' '${folder}/'`, ...copies].join(' && '),
  ]);
  const base = `${kiln.stack.registryHost}/kiln/big:base`;
  await pushFiles(kiln.stack.dir, folder, base, { Env: ['PATH=/bin'] });
  const before = stored();
  const body = kiln.buildRequest(`FROM ${base}\nRUN dd if=/dev/urandom of=/added bs=1024 count=1000\n`);
  const build = await kiln.ended((await kiln.submit(body)).ImageBuildId);
  expect(build.State).toBe('succeeded');
  expect(build.SizeInBytes).toBeGreaterThan(200_000_000);
  // What a registry stores once, it may have been sent twice: the base's layers are mounted there.
  const push = build.Phases.find((it: { Phase: string }) => it.Phase === 'push') as { Bytes: number };
  expect(push.Bytes).toBeLessThan(1_200_000);
  const added = stored() - before;
  expect(added).toBeGreaterThan(1_000_000);
  expect(added).toBeLessThan(1_200_000);
}, 120_000);
