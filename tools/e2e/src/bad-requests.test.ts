import { sql } from 'drizzle-orm';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [], env: { KILN_PACKAGE_INSTALLATION: 'strict' } });
});
afterAll(() => kiln.stop());

const path = '/api/v1/imagebuilds';
const written = async (): Promise<unknown> => {
  const { rows } = await kiln.database.db.execute(
    sql`SELECT (SELECT count(*) FROM builds) AS builds, (SELECT count(*) FROM images) AS images, (SELECT count(*) FROM outbox) AS outbox`,
  );
  return rows[0];
};

describe('a refused CreateImageBuild', () => {
  const change = (edit: (body: ReturnType<TestKiln['buildRequest']> & Record<string, never>) => void) => () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN true\n`);
    edit(body as never);
    return body;
  };
  type Loose = any;
  it.each<[string, (body: Loose) => void, number, string, string]>([
    ['no workspace', (it) => delete it.WorkspaceId, 400, 'InvalidParameter', 'WorkspaceId: is required'],
    ['an unknown workspace', (it) => (it.WorkspaceId = '999'), 404, '100400027', 'there is no workspace 999'],
    [
      'a wrong name',
      (it) => (it.Image.Name = '1abc'),
      400,
      'InvalidParameter',
      'Image.Name: must start with a lower-case letter',
    ],
    [
      'a URI without a tag',
      (it) => (it.Image.Uri = 'r.example.com/a/b'),
      400,
      'InvalidParameter',
      'Image.Uri: has no tag',
    ],
    [
      'a URI of another host',
      (it) => (it.Image.Uri = 'r.example.com/a/b:1'),
      400,
      'InvalidParameter',
      'Image.Uri: its host must be',
    ],
    [
      'an unknown registry',
      (it) => (it.TargetRegistry.InstanceId = 'cri-x'),
      400,
      'RegistryConnectionNotFound',
      'TargetRegistry.InstanceId: there is no registry connection cri-x',
    ],
    [
      'another registry type',
      (it) => (it.TargetRegistry.Type = 'Docker'),
      400,
      'InvalidParameter',
      'TargetRegistry.Type: must be one of AcrEnterprise',
    ],
    [
      'a Dockerfile that does not parse',
      (it) => (it.BuildConfig.Dockerfile = 'FROM a\nFRMO b\n'),
      400,
      'DockerfileInvalid',
      'BuildConfig.Dockerfile: line 2: unknown instruction FRMO',
    ],
    [
      'a wrong BuildType',
      (it) => (it.BuildConfig.BuildType = 'Other'),
      400,
      'InvalidParameter',
      'BuildConfig.BuildType: must be one of PackageInstallation, CustomDockerfile',
    ],
    [
      'more than package installation',
      (it) => Object.assign(it.BuildConfig, { BuildType: 'PackageInstallation', Dockerfile: 'FROM a\nRUN curl x\n' }),
      400,
      'DockerfileNotAllowed',
      'BuildConfig.Dockerfile: line 2: curl is not a package manager',
    ],
    [
      'a wrong RegistryAuths',
      (it) => (it.BuildConfig.RegistryAuths = { 'r.example.com': { Auth: '?' } }),
      400,
      'InvalidParameter',
      'BuildConfig.RegistryAuths.r.example.com.Auth: must be the base64 form of user:password',
    ],
    [
      'a VPC without a security group',
      (it) => (it.UserVpc = { VpcId: 'v' }),
      400,
      'InvalidParameter',
      'UserVpc.SecurityGroupId: is required once VpcId is set',
    ],
    [
      'a repeated label',
      (it) =>
        (it.Image.Labels = [
          { Key: 'a', Value: '1' },
          { Key: 'a', Value: '2' },
        ]),
      400,
      'InvalidParameter',
      'Image.Labels: must not repeat a key',
    ],
    [
      'NUL in a text',
      (it) => (it.Image.Description = 'a\u0000b'),
      400,
      'InvalidParameter',
      'Image.Description: must not contain NUL',
    ],
    [
      'a wrong amount',
      (it) => (it.Resource.ResourceConfig = { Memory: 'lots' }),
      400,
      'InvalidParameter',
      'Resource.ResourceConfig.Memory: must be an amount of memory',
    ],
    [
      'a string for a boolean',
      (it) => (it.OverwriteImageTag = 'yes'),
      400,
      'InvalidParameter',
      'OverwriteImageTag: must be true or false',
    ],
  ])('for %s names what is wrong and writes nothing', async (_what, edit, status, code, message) => {
    const before = await written();
    const answer = await kiln.pai('POST', path, { body: change(edit)() });
    expect(answer).toMatchObject({
      status,
      body: {
        Code: code,
        Message: expect.stringContaining(message) as string,
        RequestId: expect.stringMatching(/^[0-9A-F-]{36}$/) as string,
      },
    });
    expect(await written()).toEqual(before);
  });

  it('is told what is wrong with its JSON, its size and its type', async () => {
    expect(await kiln.pai('POST', path, { body: '{"a":' })).toMatchObject({
      status: 400,
      body: { Code: 'MalformedJson' },
    });
    expect(await kiln.pai('POST', path, { body: 'x'.repeat(1_100_000) })).toMatchObject({
      status: 413,
      body: { Code: 'BodyTooLarge' },
    });
    const token = { authorization: `Bearer ${kiln.account.token}` };
    const form = await fetch(kiln.url + path, {
      method: 'POST',
      headers: { ...token, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=b',
    });
    expect([form.status, ((await form.json()) as { Code: string }).Code]).toEqual([415, 'UnsupportedMediaType']);
  });

  it('may not have the name of an image or of a build that runs', async () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`);
    await kiln.submit(body);
    expect(await kiln.pai('POST', path, { body })).toMatchObject({
      status: 409,
      body: { Code: 'ImageNameDuplicated' },
    });
  });
});

describe('odd requests', () => {
  it.each([
    '/api/v1/jobs/%00',
    '/api/v1/images/%00',
    `${path}/%00`,
    `${path}/%E0%A4%A`,
    '/api/v1/jobs/x/events?StartTime=0000-01-01T00:00:00Z',
    `${path}?Cursor=MDAwMC0wMS0wMVQwMDowMDowMFogeA`,
    `${path}?Name=a&Name=b`,
    '/api/v1/images?PageNumber=0',
    '/api/v1/images?Labels=%3D',
  ])('get an answer of the 4xx kind: %s', async (odd) => {
    const answer = await fetch(kiln.url + odd, { headers: { authorization: `Bearer ${kiln.account.token}` } });
    expect([answer.status >= 400 && answer.status < 500, Object.keys((await answer.json()) as object)]).toEqual([
      true,
      expect.arrayContaining(['Code', 'Message', 'RequestId']),
    ]);
  });

  it('may name any header as signed', async () => {
    const authorization = `ACS3-HMAC-SHA256 Credential=${kiln.account.accessKeyId},SignedHeaders=constructor;host;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce,Signature=${'0'.repeat(64)}`;
    const headers = {
      authorization,
      'x-acs-content-sha256': '0',
      'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
      'x-acs-signature-nonce': 'n',
    };
    const answer = await fetch(kiln.url + path, { headers });
    expect(((await answer.json()) as { Code: string }).Code).toBe('SignatureDoesNotMatch');
  });
});

describe('lists of builds', () => {
  it('page through all of them, newest first, with filters', async () => {
    const made: string[] = [];
    for (let n = 0; n < 7; n += 1)
      made.push(
        (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`, { image: { Name: `paged-${n}` } }))).ImageBuildId,
      );
    const seen: string[] = [];
    for (let cursor: string | undefined; ;) {
      const { body } = await kiln.pai('GET', path, {
        query: { Name: 'paged-', Limit: '3', State: 'queued', ...(cursor === undefined ? {} : { Cursor: cursor }) },
      });
      seen.push(...(body.ImageBuilds as { ImageBuildId: string }[]).map((it) => it.ImageBuildId));
      cursor = body.NextCursor as string | undefined;
      if (cursor === undefined) break;
    }
    expect(seen).toEqual([...made].reverse());
    expect(await kiln.pai('GET', path, { query: { Cursor: 'x' } })).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter', Message: expect.stringContaining('Cursor') as string },
    });
    expect(await kiln.pai('GET', path, { query: { State: 'asleep' } })).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter' },
    });
  });
});
