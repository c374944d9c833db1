import { eventually, testStack } from '@kiln/kit/testing';
import { listRegistryConnections, putRegistryConnection } from '@kiln/persistence';
import { openRegistryFront, openTestKiln, type RegistryFront, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let front: RegistryFront;
beforeAll(async () => {
  const [, port] = testStack().registryHost.split(':');
  front = await openRegistryFront(Number(port));
  kiln = await openTestKiln();
  const auto = { accountId: kiln.account.accountId, tlsMode: 'http', compression: 'auto' } as const;
  await putRegistryConnection(kiln.database.db, { ...auto, id: 'packs-auto', host: kiln.stack.registryHost });
  await putRegistryConnection(kiln.database.db, { ...auto, id: 'packs-gzip', host: front.host });
  const options = ['--tls', 'http', '--compression', 'zstd', '--compression-level', '19'];
  await kiln.admin(['registry', 'put', kiln.account.accountId, 'packs-zstd', kiln.stack.registryHost, ...options]);
});
afterAll(async () => {
  await front.close();
  await kiln.stop();
});

const accountId = () => kiln.account.accountId;
const takesZstd = async (id: string) =>
  (await listRegistryConnections(kiln.database.db, accountId())).find((it) => it.id === id)?.takesZstd;

/** Builds by a connection; how the layers of the image are packed, and what the log says. */
async function build(host: string, instance: string) {
  const name = `packed-${Math.random().toString(36).slice(2, 10)}`;
  const request = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo ${name} > /a\n`, {
    image: { Name: name, Uri: `${host}/packed/${name}:v1` },
    top: { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: instance } },
  });
  const { ImageBuildId } = await kiln.submit(request);
  expect((await kiln.ended(ImageBuildId)).State).toBe('succeeded');
  const { body: list } = await kiln.pai('GET', '/api/v1/images', {
    query: { WorkspaceId: kiln.account.workspaceId, Name: name },
  });
  const { body } = await kiln.pai('GET', `/api/v1/images/${list.Images[0].ImageId}/details`);
  const packed = body.History.flatMap((it: { Compression?: string }) => it.Compression ?? []);
  return { packed, log: await kiln.logs(ImageBuildId) };
}

it('packs layers as the connection says', async () => {
  const { registryHost: host } = kiln.stack;
  expect((await build(host, 'packs-zstd')).packed).toEqual(['gzip', 'zstd']);
  await expect(
    kiln.admin(['registry', 'put', accountId(), 'x', host, '--compression', 'gzip', '--compression-level', '10']),
  ).rejects.toThrow('from 1 to 9');
});

it('finds out once whether a registry takes zstd, and says it', async () => {
  const { registryHost: host } = kiln.stack;
  expect((await build(host, 'packs-auto')).packed).toEqual(['gzip', 'zstd']);
  expect(await takesZstd('packs-auto')).toBe(true);

  const isManifest = (method: string, path: string) => method === 'PUT' && path.includes('/manifests/sha256:');
  const refused = front.next({ kind: 'status', status: 400 }, isManifest, 1);
  const first = await build(front.host, 'packs-gzip');
  expect(refused()).toBe(1);
  expect(first.packed).toEqual(['gzip', 'gzip']);
  expect(first.log).toContain('refused layers of zstd; sending gzip');
  expect(await takesZstd('packs-gzip')).toBe(false);
  const second = await build(front.host, 'packs-gzip');
  expect(second.packed).toEqual(['gzip', 'gzip']);
  expect(second.log).not.toContain('zstd');
  // The api remembers connections for some seconds.
  await eventually(async () => {
    const { body } = await kiln.pai('GET', '/api/v1/access');
    const it = body.Registries.find(({ InstanceId }: { InstanceId: string }) => InstanceId === 'packs-gzip');
    return it.Compression === 'auto' && it.TakesZstd === false ? true : undefined;
  }, 'what was found out to be shown');
});

it('lists the tags that earlier versions left in the registry', async () => {
  const body = kiln.buildRequest(`FROM ${kiln.base}\nLABEL a=b\n`);
  const { Digest } = await kiln.ended((await kiln.submit(body)).ImageBuildId);
  const [, host, repository] = /^([^/]+)\/(.+):/.exec(body.Image.Uri) ?? [];
  const url = `http://${host}/v2/${repository}/manifests`;
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await (await fetch(`${url}/${Digest}`, { headers: { accept: type } })).text();
  await fetch(`${url}/kiln-staging`, { method: 'PUT', headers: { 'content-type': type }, body: manifest });
  expect(await kiln.admin(['registry', 'staging-tags', kiln.account.accountId])).toEqual([
    { reference: `${host}/${repository}:kiln-staging`, digest: Digest },
  ]);
});
