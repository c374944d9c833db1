import { randomUUID } from 'node:crypto';
import { openSealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { putRegistryConnection } from '@kiln/persistence';
import { digestOf, type ImageTypes, pushImage, pushManifest } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let images: string;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'], env: { KILN_REGISTER_WAIT_MS: '15000' } });
  images = `/v1/${kiln.account.projectId}/images`;
});
afterAll(() => kiln.stop());

const putManifest = (repository: string, reference: string, manifest: object, type: string) =>
  pushManifest(kiln.stack.registryHost, repository, reference, manifest, type);
const putImage = (repository: string, reference: string, architecture: string, types?: ImageTypes) =>
  pushImage(kiln.stack.registryHost, repository, reference, architecture, types);

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
    const both = {
      schemaVersion: 2,
      mediaType: type,
      manifests: [entry(amd, 'amd64'), entry(arm, 'arm64'), entry(amd, 'unknown', 'unknown')],
    };
    const { digest } = await putManifest('op/multi', 'both', both, type);
    await putManifest('op/multi', 'same', both, type);
    expect(await register('op/multi:both', { arch: 'AARCH64' })).toMatchObject({
      status: 200,
      body: { status: 'ACTIVE', size: arm.total },
    });
    // What is in it is read once for each architecture that somebody registers.
    expect(await register('op/multi:same')).toMatchObject({ status: 200, body: { size: amd.total } });
    const read = 'SELECT arch FROM inspections WHERE reference = $1 ORDER BY arch';
    const { rows } = await kiln.database.db.$client.query(read, [digest]);
    expect(rows).toEqual([{ arch: 'AARCH64' }, { arch: 'X86_64' }]);
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

describe('taking an image out of its registry', () => {
  const status = async (repository: string, reference: string) =>
    (
      await fetch(`http://${kiln.stack.registryHost}/v2/${repository}/manifests/${reference}`, {
        headers: { accept: [indexType, ociManifestType].join(', ') },
      })
    ).status;
  const indexType = 'application/vnd.oci.image.index.v1+json';
  const ociManifestType = 'application/vnd.oci.image.manifest.v1+json';
  const force = async (path: string, more: object = {}) => {
    const { body } = await register(path, more);
    return kiln.modelarts('DELETE', `${images}/${body.id}`, { body: { is_force: true } });
  };

  it('leaves a manifest that another entry needs, itself or as part of its index', async () => {
    const amd = await putImage('op/shared', 'one', 'amd64');
    await putImage('op/shared', 'two', 'amd64');
    expect((await register('op/shared:two')).status).toBe(200);
    const kept = await force('op/shared:one');
    expect(kept.body).toMatchObject({
      status: 'DELETED',
      status_message: expect.stringContaining('another image') as string,
    });
    expect(await status('op/shared', amd.digest)).toBe(200);

    const part = await putImage('op/parts', 'amd', 'amd64');
    const manifests = [{ mediaType: part.mediaType, digest: part.digest, size: part.size, platform: { os: 'linux', architecture: 'amd64' } }]; // prettier-ignore
    await putManifest('op/parts', 'all', { schemaVersion: 2, mediaType: indexType, manifests }, indexType);
    expect((await register('op/parts:all')).status).toBe(200);
    expect((await force('op/parts:amd')).body.status_message).toContain('another image');
    expect(await status('op/parts', part.digest)).toBe(200);
  });

  it('is refused to those who may only read it, and to another project', async () => {
    await putImage('op/project', 'v1', 'amd64');
    const { body } = await register('op/project:v1');
    const other = await kiln.addProject('other');
    expect(
      await kiln.modelarts('DELETE', `/v1/${other}/images/${body.id}`, { body: { is_force: true } }),
    ).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.6797' },
    });
    const groups = await kiln.modelarts('GET', `${images}/group`, { query: { name: 'project' } });
    const { id } = groups.body.data[0];
    for (const method of ['PUT', 'DELETE'] as const)
      expect(await kiln.modelarts(method, `/v1/${other}/images/group/${id}`, { body: {} })).toMatchObject({
        status: 400,
        body: { error_code: 'ModelArts.6797' },
      });
    expect(await kiln.modelarts('GET', `${images}/${body.id}`)).toMatchObject({ status: 200 });
  });
});

describe('SyncImage', () => {
  it('leaves a refused image as it is', async () => {
    const late = `op/late-${randomUUID().slice(0, 8)}`;
    const refused = await register(`${late}:v1`);
    const id = /image ([0-9a-f-]{36})/.exec(refused.body.error_msg)?.[1] ?? '';
    await putImage(late, 'v1', 'amd64');
    expect((await register(`${late}:v1`)).status).toBe(200);
    expect(await kiln.modelarts('POST', `${images}/${id}/sync`)).toMatchObject({
      status: 200,
      body: { id, status: 'CREATE_FAILED' },
    });
  });

  it('follows an outside image’s tag to what it points to now', async () => {
    await putImage('op/moving', 'v1', 'amd64');
    const { body } = await register('op/moving:v1');
    const moved = await pushImage(kiln.stack.registryHost, 'op/moving', 'v1', 'amd64', undefined, 'another');
    await kiln.modelarts('POST', `${images}/${body.id}/sync`);
    const { body: list } = await kiln.pai('GET', '/api/v1/images', {
      query: { WorkspaceId: kiln.account.workspaceId, ImageUri: body.swr_path },
    });
    expect(list.Images).toMatchObject([{ Digest: moved.digest }]);
  });
});

it('AddImage takes an image of any architecture', async () => {
  await putImage('op/arm-only', 'v1', 'arm64');
  const added = await kiln.pai('POST', '/api/v1/images', {
    body: { Name: 'arm-only', ImageUri: `${kiln.stack.registryHost}/op/arm-only:v1` },
  });
  expect(added.status).toBe(200);
  const { body } = await kiln.modelarts('GET', images, { query: { name: 'arm-only' } });
  expect(body.data).toMatchObject([{ arch: 'aarch64' }]);
});
