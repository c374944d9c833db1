import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { manifestType, pushImage } from '@kiln/stack/client';
import { openRegistryFront, openTestKiln, type TestKiln } from '@kiln/stack/testing';

// What scripts that were written for the clouds send, changed no more than in host, registry and base image.
let kiln: TestKiln;
let images: string;
beforeAll(async () => {
  kiln = await openTestKiln();
  images = `/v1/${kiln.account.projectId}/images`;
});
afterAll(() => kiln.stop());
const named = (what: string) => `${what}-${randomUUID().slice(0, 8)}`;
const create = (body: object, query: Record<string, string> = {}) =>
  kiln.pai('POST', '/api/v1/imagebuilds', { body, query });

/** The example of the vendor's page on CreateImageBuild, field by field. */
const vendorBuild = (change: object = {}) => ({
  Accessibility: 'PUBLIC',
  WorkspaceId: kiln.account.workspaceId,
  Resource: {
    EcsSpec: 'ecs.c6.large',
    ResourceConfig: { CPU: '4', Memory: '8Gi' },
    ResourceId: 'quotaadzoqup693z',
    ResourceType: 'Lingjun',
  },
  UserVpc: {
    VpcId: 'vpc-abcdef**',
    SwitchId: 'vs-abcdef**',
    SecurityGroupId: 'sg-abcdef**',
    ExtendedCidrs: ['10.0.0.0/24'],
    DefaultRoute: 'eth1',
  },
  TargetRegistry: { InstanceId: kiln.account.connectionId, Type: 'AcrEnterprise' },
  OverwriteImageTag: true,
  BuildConfig: {
    Dockerfile: `FROM ${kiln.base}\nRUN echo pip3 install numpy==1.19.5 | cat > /installed\n`,
    BuildType: 'PackageInstallation',
    RegistryAuths: { [kiln.stack.registryHost]: { Auth: 'dXNlcjp0ZXN0' } },
  },
  RegionId: 'cn-wulanchabu',
  ImageBuildJobName: 'build-my-image',
  Image: {
    Name: named('test-v1'),
    Description: '构建测试镜像',
    Uri: `${kiln.stack.registryHost}/pai-test/${named('pai-test')}:test-v1`,
    Labels: [{ Key: 'key1', Value: 'value1' }],
  },
  ...change,
});

describe('the examples of the vendors’ pages', () => {
  it('CreateImageBuild is built, and says where it has not quite what was asked for', async () => {
    const { status, body } = await create(vendorBuild());
    expect({ status, body }).toMatchObject({ status: 200 });
    const build = await kiln.ended(body.ImageBuildId);
    expect(build).toMatchObject({
      State: 'succeeded',
      Notes: ['UserVpc: no networks are described here; instead of vpc-abcdef**, the build has the public network'],
    });
    expect(build.Events[0].Message).toContain('accepted; UserVpc: no networks are described here');
    expect(await kiln.logs(body.ImageBuildId)).toContain('kiln: note: UserVpc: no networks are described here');
  });

  it('its Dockerfile as the page prints it is refused with the reason', async () => {
    const { status, body } = await create(
      vendorBuild({ BuildConfig: { Dockerfile: 'FROM ubuntu:18:04 RUN pip3 install numpy==1.19.5', BuildType: 'PackageInstallation' } }),
    ); // prettier-ignore
    expect(status).toBe(400);
    expect(body.Message).toContain('line 1: FROM ubuntu:18:04 and RUN stand on one line, as in the example');
  });

  it('RegisterImage is registered', async () => {
    const repository = 'op_svc_modelarts_container2/pytorch_1_8';
    const tag = 'train-pytorch_1.8.0-cuda_10.2-py_3.7';
    await pushImage(kiln.stack.registryHost, repository, tag, 'amd64');
    const answer = await kiln.modelarts('POST', images, {
      body: {
        description: '',
        resource_category: ['CPU'],
        arch: 'X86_64',
        swr_path: `${kiln.stack.registryHost}/${repository}:${tag}`,
      },
    });
    expect(answer).toMatchObject({
      status: 200,
      body: { arch: 'x86_64', name: 'pytorch_1_8', tag, status: 'ACTIVE', workspace_id: '0', visibility: 'PRIVATE' },
    });
  });
});

describe('what is not described here', () => {
  it('an instance type that nobody knows is the default class, with a note', async () => {
    const { body } = await create(vendorBuild({ Resource: { EcsSpec: 'ecs.zz9.large' }, UserVpc: undefined }));
    const build = await kiln.ended(body.ImageBuildId);
    expect(build).toMatchObject({
      State: 'succeeded',
      Notes: ['Resource.EcsSpec: ecs.zz9.large is not known here; the build has the default class (2 CPU, 4Gi)'],
    });
  });

  it('the workspace is looked at before the network', async () => {
    const other = await openTestKiln({ apps: [], platform: { networks: { 'vpc-1': {} } } });
    try {
      const body = other.buildRequest(`FROM ${other.base}\n`, {
        top: { UserVpc: { VpcId: 'vpc-2', SecurityGroupId: 'sg-1' } },
      });
      const post = (change: object) => other.pai('POST', '/api/v1/imagebuilds', { body: { ...body, ...change } });
      expect(await post({ WorkspaceId: '999' })).toMatchObject({ status: 404, body: { Code: '100400027' } });
      const refused = await post({});
      expect(refused).toMatchObject({ status: 400, body: { Code: 'InvalidParameter' } });
      expect(refused.body.Message).toContain('there is no network "vpc-2" here');
    } finally {
      await other.stop();
    }
  });
});

describe('how fields are written', () => {
  it('null is as absent in PAI, and a workspace may be a figure', async () => {
    const build = vendorBuild({ RegionId: null, UserVpc: null, ImageBuildJobName: null, Accessibility: null });
    build.WorkspaceId = Number(build.WorkspaceId) as never;
    const { status, body } = await create({ ...build, Image: { ...build.Image, Description: null, Labels: null } });
    expect({ status, body }).toMatchObject({ status: 200 });
    expect((await kiln.ended(body.ImageBuildId)).Request).toMatchObject({ Accessibility: 'PRIVATE' });
    const { body: wrong } = await create({ ...vendorBuild(), Image: null });
    expect(wrong.Message).toContain('Image: is required');
  });

  it('null is as absent in ModelArts, "" and 0 are the default workspace, HIDDEN is kept and behaves as PRIVATE', async () => {
    const repository = named('hidden');
    await pushImage(kiln.stack.registryHost, `op/${repository}`, 'v1', 'amd64');
    await pushImage(kiln.stack.registryHost, `op/${repository}`, 'v2', 'amd64', undefined, 'two');
    const register = (tag: string, more: object) =>
      kiln.modelarts('POST', images, { body: { swr_path: `${kiln.stack.registryHost}/op/${repository}:${tag}`, ...more } });
    const first = await register('v1', { workspace_id: '', visibility: 'HIDDEN', description: null, flavor_type: null, tags: null });
    expect(first).toMatchObject({ status: 200, body: { visibility: 'HIDDEN', workspace_id: '0', description: '' } });
    expect(await register('v2', { workspace_id: 0 })).toMatchObject({ status: 200, body: { visibility: 'PRIVATE' } });
    expect(await kiln.modelarts('GET', `${images}/${first.body.id}`)).toMatchObject({ body: { visibility: 'HIDDEN' } });
    const { body } = await kiln.modelarts('GET', images, { query: { name: repository, workspace_id: '' } });
    expect(body.data.map((it: { visibility: string }) => it.visibility).sort()).toEqual(['HIDDEN', 'PRIVATE']);
    const { body: list } = await kiln.pai('GET', '/api/v1/images', {
      query: { WorkspaceId: kiln.account.workspaceId, ImageUri: first.body.swr_path },
    });
    expect(list.Images).toMatchObject([{ Accessibility: 'PRIVATE' }]);
  }); // prettier-ignore

  it('a path may be as long as its registry takes it', async () => {
    const long = Array.from({ length: 19 }, () => 'a'.repeat(100)).join('/');
    const [, port] = kiln.stack.registryHost.split(':');
    // Debian's registry ends at 255; this one takes longer names.
    const front = await openRegistryFront(Number(port), (path) => path.replace(long, 'kiln/busybox'));
    try {
      await kiln.trustPlainHttp(front.host);
      const register = (repository: string) =>
        kiln.modelarts('POST', images, { body: { swr_path: `${front.host}/${repository}:base` } });
      expect(await register(long)).toMatchObject({ status: 200, body: { status: 'ACTIVE' } });
      expect(await register(`${long}/${'b'.repeat(200)}`)).toMatchObject({
        status: 400,
        body: { error_code: 'ModelArts.0104', error_msg: expect.stringContaining('must have at most 2048 characters') },
      });
    } finally {
      await front.close();
    }
  });

  it('the message of a refused body names every field that is wrong, up to ten', async () => {
    const { body } = await create({
      WorkspaceId: true, Resource: {}, TargetRegistry: { Type: 'Acr' }, OverwriteImageTag: 'yes',
      BuildConfig: { BuildType: 'Other' }, Image: { Name: 'NO', Uri: 'x', Labels: 'none' },
    }); // prettier-ignore
    for (const it of ['WorkspaceId', 'TargetRegistry.InstanceId', 'TargetRegistry.Type', 'OverwriteImageTag', 'BuildConfig.Dockerfile', 'BuildConfig.BuildType', 'Image.Name', 'Image.Uri', 'Image.Labels'])
      expect(body.Message).toContain(`${it}: `); // prettier-ignore
    expect(body.Message).not.toContain('more');
    const { body: many } = await create({ ...vendorBuild(), Image: { ...vendorBuild().Image, Labels: Array.from({ length: 13 }, () => ({})) } });
    expect(many.Message.match(/Image\.Labels\.\d+\.Key: is required/g)).toHaveLength(10);
    expect(many.Message).toContain('; and 3 more');
  }); // prettier-ignore
});

it('sizes are in bytes, and an image says where it comes from', async () => {
  const { body: accepted } = await create(vendorBuild({ UserVpc: undefined }));
  const build = await kiln.ended(accepted.ImageBuildId);
  const get = async (id: string) => (await kiln.pai('GET', `/api/v1/images/${id}`)).body;
  const built = await get(build.ImageId);
  expect(built).toMatchObject({ SourceType: 'Build', SourceId: build.ImageBuildId, Size: build.SizeInBytes });

  const repository = `op/${named('sized')}`;
  const pushed = await pushImage(kiln.stack.registryHost, repository, 'v1', 'amd64');
  const add = async (more: object) => {
    const body = { Name: named('added'), ImageUri: `${kiln.stack.registryHost}/${repository}:v1`, Size: 3, ...more };
    return get((await kiln.pai('POST', '/api/v1/images', { body })).body.ImageId as string);
  };
  const imported = await add({});
  expect(imported).toMatchObject({ Size: pushed.total, SourceType: 'Import' });
  expect(imported.SourceId).toBeUndefined();
  expect(await add({ SourceType: 'Dsw', SourceId: 'dsw-1' })).toMatchObject({ SourceType: 'Dsw', SourceId: 'dsw-1' });
  const query = { WorkspaceId: kiln.account.workspaceId, ImageUri: `${kiln.stack.registryHost}/${repository}:v1` };
  const { body: list } = await kiln.pai('GET', '/api/v1/images', { query });
  expect(list.Images.map((it: { Size: number }) => it.Size)).toEqual([pushed.total, pushed.total]);
});

describe('a Huawei client that knows no project', () => {
  const projects = async (query: Record<string, string> = {}) =>
    (await kiln.modelarts('GET', '/v3/projects', { query })).body.projects as { id: string; name: string }[];
  const token = (scope: object) =>
    fetch(`${kiln.url}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['hw_ak_sk'],
            hw_ak_sk: { access: { key: kiln.account.accessKeyId }, secret: { key: kiln.account.accessKeySecret } },
          },
          scope,
        },
      }),
    });

  it('finds the only project by the name of a region, with the vendor’s own client too', async () => {
    const id = kiln.account.projectId;
    expect(await projects()).toMatchObject([{ id, name: 'default' }]);
    expect(await projects({ name: 'cn-north-4' })).toMatchObject([{ id, name: 'cn-north-4' }]);
    expect(await projects({ name: 'default' })).toMatchObject([{ id }]);
    expect(await projects({ name: 'nonsense' })).toEqual([]);

    const require = createRequire(import.meta.url);
    const { BasicCredentials, Region } = require('@huaweicloud/huaweicloud-sdk-core');
    const { ClientBuilder } = require('@huaweicloud/huaweicloud-sdk-core/ClientBuilder');
    const credentials = new BasicCredentials()
      .withAk(kiln.account.accessKeyId)
      .withSk(kiln.account.accessKeySecret)
      .withIamEndpoint(kiln.url);
    const client = new ClientBuilder((hc: unknown) => hc)
      .withCredential(credentials)
      .withRegion(new Region('cn-north-4', kiln.url))
      .withOptions({ customUserAgent: 'kiln-test' })
      .build();
    client.httpClient._logger = { debug: () => undefined, error: () => undefined };
    const answer = await client.sendRequest({
      method: 'GET', url: '/v1/{project_id}/images', contentType: 'application/json', queryParams: {}, pathParams: {}, headers: {},
    }); // prettier-ignore
    expect(answer).toMatchObject({ httpStatusCode: 200, total: expect.any(Number) as number });
  });

  it('gets a token for its region, which is for that project', async () => {
    const answer = await token({ project: { name: 'ap-southeast-1' } });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ token: { project: { id: kiln.account.projectId } } });
    const headers = { 'x-auth-token': answer.headers.get('x-subject-token') ?? '' };
    expect((await fetch(`${kiln.url}${images}`, { headers })).status).toBe(200);
    const listed = (await (await fetch(`${kiln.url}/v3/projects`, { headers })).json()) as { projects: object[] };
    expect(listed.projects).toMatchObject([{ id: kiln.account.projectId }]);
    expect((await token({ project: { name: 'nonsense' } })).status).toBe(403);
  });

  it('of an account with several projects, has to name the one that it means', async () => {
    const other = await openTestKiln({ apps: [] });
    try {
      const second = await other.addProject('ap-southeast-3');
      const list = async (name: string) =>
        (await other.modelarts('GET', '/v3/projects', { query: { name } })).body.projects as object[];
      expect(await list('cn-north-4')).toEqual([]);
      expect(await list('ap-southeast-3')).toMatchObject([{ id: second, name: 'ap-southeast-3' }]);
    } finally {
      await other.stop();
    }
  });
});

describe('a client token', () => {
  const age = (id: string, hours: number) =>
    kiln.database.db.$client.query(`UPDATE builds SET created_at = now() - make_interval(hours => $2) WHERE id = $1`, [
      id,
      hours,
    ]);

  it('stands for its build for a week, and then for a new one', async () => {
    const token = { ClientToken: named('token') };
    const request = vendorBuild({ UserVpc: undefined });
    const { body: first } = await create(request, token);
    await kiln.ended(first.ImageBuildId);
    await age(first.ImageBuildId, 167);
    expect((await create(request, token)).body).toMatchObject({ ImageBuildId: first.ImageBuildId });
    await age(first.ImageBuildId, 169);
    // The same name is still the first one's.
    expect(await create(request, token)).toMatchObject({ status: 409, body: { Code: 'ImageNameDuplicated' } });
    const again = { ...request, Image: { ...request.Image, Name: named('again') } };
    const { status, body: second } = await create(again, token);
    expect(status).toBe(200);
    expect(second.ImageBuildId).not.toBe(first.ImageBuildId);
    expect((await create(again, token)).body).toMatchObject({ ImageBuildId: second.ImageBuildId });
  });

  it('begins anew when the image of its build has been deleted', async () => {
    const token = { ClientToken: named('token') };
    const request = vendorBuild({ UserVpc: undefined });
    const { body: first } = await create(request, token);
    const { ImageId } = await kiln.ended(first.ImageBuildId);
    expect((await create(request, token)).body).toMatchObject({ ImageBuildId: first.ImageBuildId });
    expect((await kiln.pai('DELETE', `/api/v1/images/${ImageId}`)).status).toBe(200);
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(request, token)));
    const ids = new Set(answers.map((it) => it.body.ImageBuildId as string));
    expect(ids.size).toBe(1);
    expect(ids.has(first.ImageBuildId)).toBe(false);
  });
});

it('an index with an index inside, pushed to a real registry, is registered', async () => {
  const repository = `op/${named('nested')}`;
  const one = await pushImage(kiln.stack.registryHost, repository, 'one', 'amd64');
  const indexType = 'application/vnd.oci.image.index.v1+json';
  const put = async (reference: string, entry: object) => {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [entry] });
    const url = `http://${kiln.stack.registryHost}/v2/${repository}/manifests/${reference}`;
    const answer = await fetch(url, { method: 'PUT', body, headers: { 'content-type': indexType } });
    expect(answer.status).toBe(201);
    return { mediaType: indexType, digest: answer.headers.get('docker-content-digest'), size: body.length };
  };
  const platform = { os: 'linux', architecture: 'amd64' };
  const inner = await put('inner', { mediaType: manifestType, digest: one.digest, size: one.size, platform });
  await put('outer', inner);
  const swr_path = `${kiln.stack.registryHost}/${repository}:outer`;
  expect(await kiln.modelarts('POST', images, { body: { swr_path } })).toMatchObject({
    status: 200,
    body: { status: 'ACTIVE', arch: 'x86_64' },
  });
});
