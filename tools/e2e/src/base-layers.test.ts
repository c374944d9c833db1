import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { pushFiles, runQuietly } from '@kiln/stack';
import { openRegistryFront, openTestKiln, type RegistryFront, type TestKiln } from '@kiln/stack/testing';
import { openSignedClient } from '@kiln/stack/client';

let kiln: TestKiln;
let front: RegistryFront;
beforeAll(async () => {
  kiln = await openTestKiln();
  front = await openRegistryFront(Number(kiln.stack.registryHost.split(':')[1]));
});
afterAll(async () => {
  await kiln.stop();
  await front.close();
});

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
});

it('reads the layers of a base from the disk for the second account, once the registry has given it the manifest', async () => {
  const fetched = front.next({ kind: 'well' }, (method, path) => method === 'GET' && path.includes('/blobs/'), 1e6);
  const dockerfile = `FROM ${front.host}/kiln/busybox:base\nRUN echo hello > /hello\n`;
  await kiln.trustPlainHttp(front.host);
  const first = await kiln.ended((await kiln.submit(kiln.buildRequest(dockerfile))).ImageBuildId);
  expect(first.State).toBe('succeeded');
  const before = fetched();
  expect(before).toBeGreaterThan(0);

  await kiln.admin(['create', 'account', 'second']);
  const [workspace] = await kiln.admin(['list', 'workspace', '--account', 'second']);
  for (const [id, host] of [
    ['cri-local', kiln.stack.registryHost],
    ['front', front.host],
  ] as const)
    await kiln.admin(['registry', 'put', 'second', id, host, '--tls', 'http']);
  const client = openSignedClient(kiln.url, await kiln.admin(['create', 'key', 'second']));
  const body = { ...kiln.buildRequest(dockerfile), WorkspaceId: workspace.id };
  const submitted = await client.pai('POST', '/api/v1/imagebuilds', { body });
  expect(submitted.status).toBe(200);
  const second = await eventually(
    async () => {
      const { body: build } = await client.pai('GET', `/api/v1/imagebuilds/${submitted.body.ImageBuildId}`);
      return /succeeded|failed/.test(build.State) ? build : undefined;
    },
    'the second account’s build to end',
    60_000,
  );
  expect(second).toMatchObject({ State: 'succeeded' });
  expect(fetched()).toBe(before);
});
