import { type TestKiln, openTestKiln } from '@kiln/stack/testing';
import { pack } from 'tar-stream';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

/** Sends files as a context. @returns its id */
async function upload(files: Record<string, string | Buffer>): Promise<string> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mode: 0o755 }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const it of archive) chunks.push(it as Buffer);
  const answer = await fetch(`${kiln.url}/api/v1/contexts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${kiln.account.token}`, 'content-type': 'application/x-tar' },
    body: new Uint8Array(Buffer.concat(chunks)),
  });
  return ((await answer.json()) as { Id: string }).Id;
}

const build = async (dockerfile: string, config: Record<string, unknown>) => {
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile, { config }));
  return { build: await kiln.ended(ImageBuildId), log: await kiln.logs(ImageBuildId) };
};
const refused = async (dockerfile: string, config: Record<string, unknown>): Promise<string> => {
  const answer = await kiln.pai('POST', '/api/v1/imagebuilds', { body: kiln.buildRequest(dockerfile, { config }) });
  expect(answer.status).toBe(400);
  return answer.body.Message as string;
};

async function labelsOf(uri: string, digest: string): Promise<object> {
  const [, host = '', repository = ''] = /^([^/]+)\/(.+):/.exec(uri) ?? [];
  const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
  const get = async (path: string) =>
    (await fetch(`http://${host}/v2/${repository}/${path}`, { headers })).json() as any;
  const manifest = await get(`manifests/${digest}`);
  return (await get(`blobs/${manifest.config.digest}`)).config.Labels as object;
}

describe('named contexts', () => {
  it('bring files for COPY, FROM and RUN --mount beside the ones of the context, each with its ignore file', async () => {
    const [own, shared, model] = [
      await upload({ 'a.txt': 'own', 'Dockerfile.dockerignore': 'nothing\n' }),
      await upload({ 'a.txt': 'shared', 'b.txt': 'b', '.dockerignore': 'b.txt\n' }),
      await upload({ 'v1/weights': 'weights', other: 'other' }),
    ];
    const dockerfile = `FROM ${kiln.base} AS first
COPY a.txt /own
COPY --from=shared . /shared/
RUN --mount=type=bind,from=context,target=/m test "$(cat /m/weights)" = weights && test ! -e /m/other
RUN test "$(cat /own)" = own && test "$(cat /shared/a.txt)" = shared && test ! -e /shared/b.txt
FROM files AS second
FROM first
COPY --from=second /b.txt /b.txt
`;
    const { build: ended, log } = await build(dockerfile, {
      Context: { Type: 'Upload', Id: own },
      NamedContexts: {
        shared: { Type: 'Upload', Id: shared },
        files: { Type: 'Upload', Id: await upload({ 'b.txt': 'b' }) },
        context: { Type: 'Upload', Id: model, SubPath: 'v1' },
      },
    });
    expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
    expect(log).toContain('context shared: .dockerignore leaves out 1 of 3 files and folders');
    expect(ended.Request.BuildConfig.NamedContexts.context).toEqual({ Type: 'Upload', Id: model, SubPath: 'v1' });
  });

  it('stand for images and for stages of the Dockerfile', async () => {
    const dockerfile = `FROM python:3 AS deps
RUN echo from the base > /deps
FROM nothing.example.com/unknown:1 AS replaced
RUN false
FROM deps
COPY --from=replaced /who /who
COPY --from=tools:v1 /bin/busybox /tools
RUN test "$(cat /who)" = files && test -e /deps && test -s /tools
`;
    const { build: ended } = await build(dockerfile, {
      NamedContexts: {
        'python:3': { Type: 'Image', Uri: kiln.base },
        'tools:v1': { Type: 'Image', Uri: kiln.base },
        replaced: { Type: 'Upload', Id: await upload({ who: 'files' }) },
      },
    });
    expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
    const again = await kiln.pai('POST', `/api/v1/imagebuilds/${ended.ImageBuildId}/rerun`, {
      body: { Image: { Name: `${ended.ImageName}-again`, Uri: `${ended.ImageUri}-again` } },
    });
    expect((await kiln.ended(again.body.ImageBuildId)).State).toBe('succeeded');
  });

  it('replace a stage by an image', async () => {
    const { build: ended } = await build(
      `FROM nothing.example.com/unknown:1 AS Base\nRUN false\nFROM base\nRUN test -e /bin/busybox\n`,
      { NamedContexts: { base: { Type: 'Image', Uri: kiln.base } } },
    );
    expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
  });

  it('are built again when only their files have changed', async () => {
    for (const words of ['one', 'two']) {
      const { build: ended } = await build(
        `FROM ${kiln.base}\nCOPY --from=data /a /a\nRUN test "$(cat /a)" = ${words}\n`,
        { NamedContexts: { data: { Type: 'Upload', Id: await upload({ a: words }) } } },
      );
      expect(ended.State).toBe('succeeded');
    }
  });

  it('are told apart by their names, also where their files look alike', async () => {
    const [x, y] = [await upload({ a: 'x' }), await upload({ a: 'y' })];
    for (const [first = '', second = ''] of [
      ['a', 'b'],
      ['b', 'c'],
    ]) {
      const dockerfile = `FROM ${kiln.base}
COPY --from=${first} /a /x
COPY --from=${second} /a /y
RUN test "$(cat /x /y)" = xy
`;
      const named = { [first]: { Type: 'Upload', Id: x }, [second]: { Type: 'Upload', Id: y } };
      const { build: ended } = await build(dockerfile, { NamedContexts: named });
      expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
    }
  });

  it('stand for a stage on that stage’s own platform, and what is not built is not looked up', async () => {
    const dockerfile = `FROM --platform=linux/s390x ${kiln.base} AS unused
FROM --platform=$BUILDPLATFORM nothing.example.com/unknown:1 AS make
FROM scratch
COPY --from=make /bin/busybox /
`;
    const { build: ended } = await build(dockerfile, {
      NamedContexts: { make: { Type: 'Image', Uri: kiln.base } },
      Platform: 'linux/arm64',
    });
    expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
  });

  it.each([
    [
      'an unknown id',
      { a: { Type: 'Upload', Id: `sha256:${'0'.repeat(64)}` } },
      /NamedContexts\.a\.Id.*no such context/,
    ],
    ['no image', { a: { Type: 'Image' } }, /NamedContexts\.a\.Uri: is required with Type Image/],
    ['a file', { a: { Type: 'Image', Uri: 'oci:/etc' } }, /NamedContexts\.a\.Uri: must be the name of an image/],
    ['an image and an id', { a: { Type: 'Image', Uri: 'x:1', Id: 'y' } }, /NamedContexts\.a\.Id/],
    ['a name that is none', { 'A b': { Type: 'Image', Uri: 'x:1' } }, /must be the name of a stage or an image/],
    [
      'a tag that means nothing',
      { 'a:latest': { Type: 'Image', Uri: 'x:1' } },
      /without docker.io\/library\/ and :latest/,
    ],
    ['a platform in its name', { 'a::linux/amd64': { Type: 'Image', Uri: 'x:1' } }, /must be the name of a stage/],
    ['no type', { a: {} }, /NamedContexts\.a\.Type/],
    ['an object that is a list', [], /NamedContexts: must be an object/],
  ])('of %s are refused by name', async (_what, NamedContexts, message) => {
    expect(await refused(`FROM ${kiln.base}\n`, { NamedContexts })).toMatch(message);
  });

  it('do not go with a PackageInstallation', async () => {
    expect(
      await refused(`FROM ${kiln.base}\nRUN true\n`, {
        BuildType: 'PackageInstallation',
        NamedContexts: { a: { Type: 'Image', Uri: kiln.base } },
      }),
    ).toMatch(/NamedContexts.*CustomDockerfile/);
  });
});

it('takes no argument that would make several images of one', async () => {
  const message = await refused('FROM scratch\n', { BuildArgs: { BUILDKIT_MULTI_PLATFORM: '1' } });
  expect(message).toMatch(/BuildArgs\.BUILDKIT_MULTI_PLATFORM: is not taken/);
});

describe('Platform', () => {
  const cross = () => `FROM --platform=$BUILDPLATFORM ${kiln.base} AS make
ARG TARGETPLATFORM
ARG TARGETARCH
ARG BUILDPLATFORM
RUN echo "$TARGETPLATFORM on $BUILDPLATFORM" > /for && test "$TARGETARCH" = arm64
FROM scratch
COPY --from=make /for /for
`;

  it('is what the image is for, while steps run on the builder’s own', async () => {
    const { build: ended } = await build(cross(), { Platform: 'linux/arm64' });
    expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
    const { body } = await kiln.modelarts('GET', `/v1/${kiln.account.projectId}/images`, {
      query: { name: ended.ImageName },
    });
    expect(body.data).toMatchObject([{ arch: 'aarch64' }]);
    const copy = `FROM ${ended.ImageUri}\nCOPY --from=${ended.ImageUri} /for /again\n`;
    const next = await build(copy, { Platform: 'linux/arm64/v8' });
    expect({ state: next.build.State, error: next.build.Error }).toEqual({ state: 'succeeded', error: undefined });
    // A stage of the builder's own copies from an image of the build's platform.
    const mixed = `FROM --platform=$BUILDPLATFORM ${kiln.base} AS a
COPY --from=${ended.ImageUri} /for /again
FROM scratch
COPY --from=a /again /again
`;
    expect((await build(mixed, { Platform: 'linux/arm64' })).build).toMatchObject({ State: 'succeeded' });
    expect((await build(copy, {})).build.Error).toMatchObject({ Code: 'ArchMismatch', FirstLine: 1 });
  });

  it('goes with labels of the request', async () => {
    const { build: ended } = await build('FROM scratch\nLABEL a=1 b=2\n', {
      Labels: { b: 'three words "here"', 'com.example/c': '' },
    });
    expect(await labelsOf(ended.ImageUri, ended.Digest)).toEqual({
      a: '1',
      b: 'three words "here"',
      'com.example/c': '',
    });
    expect(ended.Request.BuildConfig.Labels).toEqual({ b: 'three words "here"', 'com.example/c': '' });
    expect(await refused('FROM scratch\n', { Labels: { 'a b': 'c' } })).toMatch(/BuildConfig\.Labels\.a b: must be/);
  });

  it('has to be a base’s, too, and a step that cannot run says why', async () => {
    const base = await build(`FROM ${kiln.base}\nRUN true\n`, { Platform: 'linux/arm64' });
    expect(base.build.Error).toMatchObject({ Code: 'ArchMismatch', FirstLine: 1 });
    // The beginning of a program for arm64.
    const program = Buffer.alloc(120);
    program.write('\x7fELF\x02\x01\x01', 0, 'latin1');
    program.writeUInt16LE(2, 16);
    program.writeUInt16LE(183, 18);
    const Context = { Type: 'Upload', Id: await upload({ 'bin/sh': program }) };
    const { build: ended } = await build('FROM scratch\nCOPY bin /bin\nRUN true\n', {
      Context,
      Platform: 'linux/arm64',
    });
    expect(ended.Error).toMatchObject({ Class: 'user', FirstLine: 3, Reason: 'OtherArchitecture' });
  });

  it.each(['arm64', 'linux/arm/v7', 'windows/amd64', 'linux/', 'linux/arm64/8', 1])(
    '%j is refused',
    async (Platform) => {
      expect(await refused('FROM scratch\n', { Platform })).toMatch(/BuildConfig\.Platform/);
    },
  );
});
