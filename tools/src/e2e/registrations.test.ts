import { createHash } from 'node:crypto';
import { openSealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { putRegistryConnection } from '@kiln/persistence';
import { openTestKiln, type TestKiln } from './kiln.ts';

let kiln: TestKiln;
let images: string;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'], env: { KILN_REGISTER_WAIT_MS: '4000' } });
  images = `/v1/${kiln.account.projectId}/images`;
});
afterAll(() => kiln.stop());

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const digestOf = (data: string) => `sha256:${createHash('sha256').update(data).digest('hex')}`;

async function putBlob(repository: string, data: string): Promise<{ digest: string; size: number }> {
  const registry = `http://${kiln.stack.registryHost}`;
  const start = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(start.headers.get('location') ?? '', registry);
  location.searchParams.set('digest', digestOf(data));
  const put = await fetch(location, {
    method: 'PUT',
    body: data,
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (put.status !== 201) throw new Error(`blob: ${put.status}`);
  return { digest: digestOf(data), size: Buffer.byteLength(data) };
}

async function putManifest(
  repository: string,
  reference: string,
  manifest: object,
  type: string,
): Promise<{ digest: string; size: number }> {
  const text = JSON.stringify(manifest);
  const put = await fetch(`http://${kiln.stack.registryHost}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    body: text,
    headers: { 'content-type': type },
  });
  if (put.status !== 201) throw new Error(`manifest: ${put.status} ${await put.text()}`);
  return { digest: digestOf(text), size: Buffer.byteLength(text) };
}

/** Pushes a tiny image of one architecture and gives its descriptor. */
async function putImage(
  repository: string,
  reference: string,
  architecture: string,
  types = {
    manifest: manifestType,
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar',
  },
) {
  const layer = await putBlob(repository, `layer for ${architecture}`);
  const config = await putBlob(
    repository,
    JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, ...config },
    layers: [{ mediaType: types.layer, ...layer }],
  };
  return {
    ...(await putManifest(repository, reference, manifest, types.manifest)),
    mediaType: types.manifest,
    total: layer.size + config.size,
  };
}

const register = (path: string, more: object = {}) =>
  kiln.modelarts('POST', images, { body: { swr_path: `${kiln.stack.registryHost}/${path}`, ...more } });

describe('RegisterImage', () => {
  it('answers 200 with the ACTIVE image, which PAI finds too', async () => {
    const pushed = await putImage('op/py_torch', 'train-1', 'amd64');
    const answer = await register('op/py_torch:train-1', {
      description: 'd',
      resource_category: ['CPU'],
      arch: 'x86_64',
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9A-F-]{36}$/);
    expect(answer.body).toMatchObject({
      arch: 'x86_64', description: 'd', name: 'py_torch', namespace: 'op', tag: 'train-1', status: 'ACTIVE', size: pushed.total, type: 'DEDICATED',
      resource_categories: ['CPU'], dev_services: ['NOTEBOOK', 'SSH'], service_type: 'UNKNOWN', visibility: 'PRIVATE', workspace_id: '0', origin: 'CUSTOMIZE',
    }); // prettier-ignore
    const { body: list } = await kiln.pai('GET', '/api/v1/images', {
      query: { WorkspaceId: kiln.account.workspaceId, ImageUri: answer.body.swr_path },
    });
    expect(list).toMatchObject({ TotalCount: 1, Images: [{ Name: 'py-torch-train-1', Digest: pushed.digest }] });

    expect(await kiln.modelarts('GET', `${images}/${answer.body.id}`)).toMatchObject({
      status: 200,
      body: { id: answer.body.id },
    });
    expect(await register('op/py_torch:train-1')).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.6737' },
    });
    expect(await kiln.modelarts('DELETE', `${images}/${answer.body.id}`)).toMatchObject({
      status: 200,
      body: { status: 'DELETED' },
    });
    expect(await kiln.modelarts('GET', `${images}/${answer.body.id}`)).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.6797' },
    });
    expect((await register('op/py_torch:train-1')).status).toBe(200);
  });

  it('takes Docker schema 2 and indexes, and picks the declared architecture out of them', async () => {
    await putImage('op/docker', 'v2', 'arm64', {
      manifest: 'application/vnd.docker.distribution.manifest.v2+json',
      config: 'application/vnd.docker.container.image.v1+json',
      layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    });
    expect(await register('op/docker:v2', { arch: 'AARCH64' })).toMatchObject({
      status: 200,
      body: { status: 'ACTIVE', arch: 'aarch64' },
    });

    const amd = await putImage('op/multi', 'amd', 'amd64');
    const arm = await putImage('op/multi', 'arm', 'arm64');
    const entry = (it: typeof amd, architecture: string, os = 'linux') => ({
      mediaType: it.mediaType,
      digest: it.digest,
      size: it.size,
      platform: { os, architecture },
    });
    const type = 'application/vnd.oci.image.index.v1+json';
    await putManifest(
      'op/multi',
      'both',
      {
        schemaVersion: 2,
        mediaType: type,
        manifests: [entry(amd, 'amd64'), entry(arm, 'arm64'), entry(amd, 'unknown', 'unknown')],
      },
      type,
    );
    expect(await register('op/multi:both', { arch: 'AARCH64' })).toMatchObject({
      status: 200,
      body: { status: 'ACTIVE', size: arm.total },
    });
    await putManifest(
      'op/multi',
      'lying',
      { schemaVersion: 2, mediaType: type, manifests: [entry(amd, 'arm64')] },
      type,
    );
    expect(await register('op/multi:lying')).toMatchObject({
      status: 400,
      body: {
        error_code: 'ModelArts.0107',
        error_msg: expect.stringContaining('its config says linux/amd64') as string,
      },
    });
  });

  it('explains a wrong architecture, a missing image and a missing layer, and keeps the reason', async () => {
    await putImage('op/arch', 'v1', 'amd64');
    const wrong = await register('op/arch:v1', { arch: 'AARCH64' });
    expect(wrong).toMatchObject({
      status: 400,
      body: {
        error_code: 'ModelArts.0107',
        error_msg: expect.stringContaining('is for linux/amd64, not for AARCH64') as string,
      },
    });
    const id = /image ([0-9a-f-]{36})/.exec(wrong.body.error_msg as string)?.[1];
    expect(await kiln.modelarts('GET', `${images}/${id}`)).toMatchObject({
      status: 200,
      body: { status: 'CREATE_FAILED', status_message: expect.stringContaining('linux/amd64') as string },
    });
    // PAI's lists show what can be used.
    const { body: list } = await kiln.pai('GET', '/api/v1/images', {
      query: { WorkspaceId: kiln.account.workspaceId, ImageUri: `${kiln.stack.registryHost}/op/arch:v1` },
    });
    expect(list.TotalCount).toBe(0);
    // It may be registered again once it is right.
    expect((await register('op/arch:v1')).status).toBe(200);

    expect(await register('op/nothing:here')).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.6797', error_msg: expect.stringContaining('there is no image') as string },
    });

    const image = await putImage('op/hole', 'v1', 'amd64');
    const layer = digestOf('layer for amd64');
    const deleted = await fetch(`http://${kiln.stack.registryHost}/v2/op/hole/blobs/${layer}`, { method: 'DELETE' });
    expect([202, image.size > 0]).toEqual([deleted.status, true]);
    expect(await register('op/hole:v1')).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.0107', error_msg: expect.stringContaining(layer) as string },
    });
  });

  it('uses the credentials of the registry connection, and says when there are none', async () => {
    const host = kiln.stack.privateRegistryHost;
    const { accountId } = kiln.account;
    await putRegistryConnection(kiln.database.db, { accountId, id: 'cri-p', host, tlsMode: 'http' });
    const denied = await kiln.modelarts('POST', images, { body: { swr_path: `${host}/team/thing:v1` } });
    expect(denied).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.2885', error_msg: expect.stringContaining('needs credentials') as string },
    });
    const passwordSealed = openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(
      new Secret('kiln-test'),
      `registry-connection:${accountId}:cri-p`,
    );
    await putRegistryConnection(kiln.database.db, {
      accountId,
      id: 'cri-p',
      host,
      tlsMode: 'http',
      username: 'kiln',
      passwordSealed,
    });
    const missing = await kiln.modelarts('POST', images, { body: { swr_path: `${host}/team/thing:v1` } });
    expect(missing.body).toMatchObject({ error_code: 'ModelArts.6797' });
  });

  it('answers 201 while a registry cannot be asked, shows why, and shows the image as neither valid nor invalid', async () => {
    await putRegistryConnection(kiln.database.db, {
      accountId: kiln.account.accountId,
      id: 'cri-down',
      host: '127.0.0.1:1',
      tlsMode: 'http',
    });
    const answer = await kiln.modelarts('POST', images, { body: { swr_path: '127.0.0.1:1/team/thing:v1' } });
    expect(answer).toMatchObject({
      status: 201,
      body: { status: 'CREATING', status_message: expect.stringContaining('connection refused') as string },
    });
  });

  it.each([
    [{ swr_path: 'short' }, 'swr_path: must have at least 16 characters'],
    [{ swr_path: 'no-host-and-no-tag-here' }, 'swr_path: needs a registry host'],
    [{ swr_path: 'registry.example.com/op/image' }, 'swr_path: has no tag'],
    [{ swr_path: 'registry.example.com/Op/image:1' }, 'swr_path: "Op" is not a repository path component'],
    [{}, 'swr_path: is required'],
    [{ swr_path: 'registry.example.com/op/image:1', arch: 'MIPS' }, 'arch: must be one of X86_64, AARCH64'],
    [{ swr_path: 'registry.example.com/op/image:1', workspace_id: 'x' }, 'workspace_id: must be 0 or 32'],
    [{ swr_path: 'registry.example.com/op/image:1', services: 'SSH' }, 'services: must be an array of strings'],
  ])('names the field of %j', async (body, why) => {
    const before = await kiln.modelarts('GET', images);
    expect(await kiln.modelarts('POST', images, { body })).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.0104', error_msg: expect.stringContaining(why) as string },
    });
    expect((await kiln.modelarts('GET', images)).body.total).toBe(before.body.total);
  });
});
