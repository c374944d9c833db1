import { eventually } from '@kiln/kit/testing';
import { putRegistryConnection } from '@kiln/persistence';
import { sql } from 'drizzle-orm';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

const tagDigest = async (uri: string): Promise<string | undefined> => {
  const [, host, repository, tag] = /^([^/]+)\/(.+):([^:]+)$/.exec(uri) ?? [];
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
  });
  return answer.headers.get('docker-content-digest') ?? undefined;
};

describe('from one signed POST to a catalogued image', () => {
  it('builds several stages, publishes, verifies, and shows the image in both dialects', async () => {
    const dockerfile = `FROM ${kiln.base} AS made\nRUN echo hello > /hello\nFROM ${kiln.base}\nCOPY --from=made /hello /hello\nRUN cat /hello\n`;
    const body = kiln.buildRequest(dockerfile, {
      image: { Description: '构建测试镜像', Labels: [{ Key: 'key1', Value: 'value1' }] },
    });
    const ids = await kiln.submit(body);
    expect(ids.ImageBuildId).toMatch(/^build-[a-z0-9]{18}$/);
    expect(ids.ImageBuildJobId).toMatch(/^dlc-[a-z0-9]{18}$/);

    const build = await kiln.ended(ids.ImageBuildId);
    expect(build).toMatchObject({ State: 'succeeded', Phase: 'tag', Attempt: 1 });
    expect(build.Digest).toBe(await tagDigest(body.Image.Uri));
    expect(build.Phases.map((it: { Phase: string; Result: string }) => `${it.Phase} ${it.Result}`)).toEqual([
      'prepare ok',
      'build ok',
      'push ok',
      'verify ok',
      'tag ok',
    ]);
    expect(await kiln.logs(ids.ImageBuildId)).toContain('\nhello\n');

    const { body: list } = await kiln.pai('GET', '/api/v1/images', {
      query: { WorkspaceId: kiln.account.workspaceId, Name: body.Image.Name, Verbose: 'true' },
    });
    expect(list).toMatchObject({
      TotalCount: 1,
      Images: [
        {
          Name: body.Image.Name,
          ImageUri: body.Image.Uri,
          Accessibility: 'PRIVATE',
          Labels: [{ Key: 'key1', Value: 'value1' }],
          Size: build.SizeInBytes,
          SourceType: 'Build',
          SourceId: ids.ImageBuildId,
        },
      ],
    });
    const { body: image } = await kiln.pai('GET', `/api/v1/images/${list.Images[0].ImageId}`, {
      query: { Verbose: 'true' },
    });
    expect(image).toMatchObject({ Description: '构建测试镜像', Digest: build.Digest, SizeInBytes: build.SizeInBytes });
    const { body: page } = await kiln.modelarts('GET', `/v1/${kiln.account.projectId}/images`, {
      query: { name: body.Image.Name },
    });
    expect(page).toMatchObject({
      current: 1,
      pages: 1,
      size: 1,
      total: 1,
      data: [
        {
          status: 'ACTIVE',
          swr_path: body.Image.Uri,
          namespace: 'e2e',
          tag: 'v1',
          size: build.SizeInBytes,
          workspace_id: '0',
        },
      ],
    });
  });

  it('builds and verifies an image without a layer', async () => {
    const ids = await kiln.submit(kiln.buildRequest('FROM scratch\nLABEL a=b\n'));
    expect(await kiln.ended(ids.ImageBuildId)).toMatchObject({ State: 'succeeded' });
  });

  it('can be followed as a DLC job', async () => {
    const { ImageBuildId, ImageBuildJobId } = await kiln.submit(
      kiln.buildRequest(`FROM ${kiln.base}\nRUN echo followed\n`, { top: { ImageBuildJobName: 'my job' } }),
    );
    await kiln.ended(ImageBuildId);
    const { body: job } = await kiln.pai('GET', `/api/v1/jobs/${ImageBuildJobId}`);
    expect(job).toMatchObject({
      JobId: ImageBuildJobId,
      DisplayName: 'my job',
      Status: 'Succeeded',
      ReasonCode: 'JobSucceeded',
    });
    expect(job.StatusHistory.map((it: { Status: string }) => it.Status)).toEqual([
      'Creating',
      'Queuing',
      'EnvPreparing',
      'Running',
      'Succeeded',
    ]);
    const { body: logs } = await kiln.pai('GET', `/api/v1/jobs/${ImageBuildJobId}/pods/${job.Pods[0].PodId}/logs`);
    expect(logs.Logs.some((it: string) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d followed$/.test(it))).toBe(true);
    const { body: events } = await kiln.pai('GET', `/api/v1/jobs/${ImageBuildJobId}/events`);
    expect(events.Events.length).toBeGreaterThan(4);
  });

  it('reads a log from a cursor, as text and as NDJSON', async () => {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN seq 1 5000\n`));
    await kiln.ended(ImageBuildId);
    const path = `/api/v1/imagebuilds/${ImageBuildId}/logs`;
    const all = (await kiln.logs(ImageBuildId)).trimEnd().split('\n');
    expect(all.filter((it) => /^\d+$/.test(it))).toEqual(Array.from({ length: 5000 }, (_, index) => String(index + 1)));
    const seen: string[] = [];
    for (let cursor = 0; ;) {
      const { text, headers } = await kiln.pai('GET', path, {
        query: { Format: 'ndjson', Cursor: String(cursor), Limit: '777' },
      });
      expect(headers.get('kiln-log-complete')).toBe('true');
      const records = text
        .trimEnd()
        .split('\n')
        .filter(Boolean)
        .map((it) => JSON.parse(it) as { Cursor: number; Text: string });
      if (records.length === 0) break;
      seen.push(...records.map((it) => it.Text));
      cursor = records.at(-1)?.Cursor ?? 0;
    }
    expect(seen).toEqual(all);
  });

  it('names step, lines, exit code and last words of a failing RUN, and publishes nothing', async () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo about to fail && \\\n    exit 42\n`);
    const { ImageBuildId, ImageBuildJobId } = await kiln.submit(body);
    const build = await kiln.ended(ImageBuildId);
    expect(build).toMatchObject({
      State: 'failed',
      Attempt: 1,
      Error: { Code: 'StepFailed', Class: 'user', Phase: 'build', FirstLine: 2, LastLine: 3, ExitCode: 42 },
    });
    expect(build.Error.LogTail).toContain('about to fail');
    const { body: job } = await kiln.pai('GET', `/api/v1/jobs/${ImageBuildJobId}`);
    expect(job).toMatchObject({ Status: 'Failed', ReasonCode: 'StepFailed' });
    expect(job.ReasonMessage).toContain('exit code 42');
    expect(await tagDigest(body.Image.Uri)).toBeUndefined();
    // Its name is free again.
    await kiln.submit({ ...body, BuildConfig: { Dockerfile: `FROM ${kiln.base}\n`, BuildType: 'CustomDockerfile' } });
  });

  it('pulls a private base with RegistryAuths, and keeps the password out of everything that it stores', async () => {
    const host = kiln.stack.privateRegistryHost;
    const team = `team-${kiln.account.accountId}`;
    // The connection tells how to reach the registry; the credentials come with the request.
    await putRegistryConnection(kiln.database.db, {
      accountId: kiln.account.accountId,
      id: 'cri-private',
      host,
      tlsMode: 'http',
    });
    await new Promise((resolve) => setTimeout(resolve, 2100)); // the directory's two seconds
    const auth = { [host]: { Auth: Buffer.from('kiln:kiln-test').toString('base64') } };
    const first = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo private > /p\n`, {
      image: { Uri: `${host}/${team}/base:1` },
      config: { RegistryAuths: auth },
      top: { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: 'cri-private' } },
    });
    expect(await kiln.ended((await kiln.submit(first)).ImageBuildId)).toMatchObject({ State: 'succeeded' });

    const dockerfile = `FROM ${host}/${team}/base:1\nRUN cat /p\n`;
    const allowed = await kiln.submit(kiln.buildRequest(dockerfile, { config: { RegistryAuths: auth } }));
    const refused = await kiln.submit(kiln.buildRequest(dockerfile));
    const wrong = await kiln.submit(
      kiln.buildRequest(dockerfile, {
        config: { RegistryAuths: { [host]: { Auth: Buffer.from('kiln:wrong-one').toString('base64') } } },
      }),
    );
    expect(await kiln.ended(allowed.ImageBuildId)).toMatchObject({ State: 'succeeded' });
    // The base is in the builder's store by now, but not for those who may not read it.
    expect(await kiln.ended(refused.ImageBuildId)).toMatchObject({
      State: 'failed',
      Error: { Code: 'BaseImageDenied', Class: 'user' },
    });
    expect(await kiln.ended(wrong.ImageBuildId)).toMatchObject({ State: 'failed', Error: { Code: 'BaseImageDenied' } });

    const { rows } = await kiln.database.db.execute(
      sql`SELECT b::text AS row FROM builds b UNION ALL SELECT c::text FROM build_log_chunks c UNION ALL SELECT e::text FROM build_events e UNION ALL SELECT o::text FROM outbox o`,
    );
    const stored = JSON.stringify(rows);
    for (const secret of ['kiln-test', 'wrong-one', auth[host]?.Auth ?? '']) expect(stored).not.toContain(secret);
  });
});

describe('tags', () => {
  it('refuses a tag that exists before it builds, and moves it when asked to', async () => {
    const first = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo one > /v\n`);
    const one = await kiln.ended((await kiln.submit(first)).ImageBuildId);
    const again = { image: { Uri: first.Image.Uri } };
    const refused = await kiln.ended(
      (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo two > /v\n`, again))).ImageBuildId,
    );
    expect(refused).toMatchObject({ State: 'failed', Error: { Code: 'TagExists', Class: 'policy', Phase: 'prepare' } });
    expect(await tagDigest(first.Image.Uri)).toBe(one.Digest);
    const moved = await kiln.ended(
      (
        await kiln.submit(
          kiln.buildRequest(`FROM ${kiln.base}\nRUN echo two > /v\n`, { ...again, top: { OverwriteImageTag: true } }),
        )
      ).ImageBuildId,
    );
    expect(moved.State).toBe('succeeded');
    expect(await tagDigest(first.Image.Uri)).toBe(moved.Digest);
    expect(moved.Digest).not.toBe(one.Digest);
  });

  it('lets one of two builds for one tag win when neither may overwrite', async () => {
    const uri = kiln.buildRequest('FROM x').Image.Uri;
    const submit = (n: number) =>
      kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo ${n} > /n && sleep 1\n`, { image: { Uri: uri } }));
    const ids = await Promise.all([submit(1), submit(2)]);
    const builds = await Promise.all(ids.map((it) => kiln.ended(it.ImageBuildId)));
    expect(builds.map((it) => String(it.State)).sort()).toEqual(['failed', 'succeeded']);
    expect(builds.find((it) => it.State === 'failed').Error).toMatchObject({ Code: 'TagExists' });
    expect(await tagDigest(uri)).toBe(builds.find((it) => it.State === 'succeeded').Digest);
  });

  it('gives two builds for one tag that may overwrite an order, and the tag to the later', async () => {
    const uri = kiln.buildRequest('FROM x').Image.Uri;
    const submit = (n: number) =>
      kiln.submit(
        kiln.buildRequest(`FROM ${kiln.base}\nRUN echo ${n} > /n\n`, {
          image: { Uri: uri },
          top: { OverwriteImageTag: true },
        }),
      );
    const ids = await Promise.all([submit(1), submit(2), submit(3)]);
    const builds = await Promise.all(ids.map((it) => kiln.ended(it.ImageBuildId)));
    expect(builds.map((it) => String(it.State))).toEqual(['succeeded', 'succeeded', 'succeeded']);
    const repository = uri.slice(uri.indexOf('/') + 1, uri.lastIndexOf(':'));
    const { rows } = await kiln.database.db.execute<{ digest: string; seq: string }>(
      sql`SELECT digest, seq FROM tag_moves WHERE repository = ${repository} ORDER BY seq`,
    );
    expect(rows.map((it) => Number(it.seq))).toEqual([1, 2, 3]);
    expect(await tagDigest(uri)).toBe(rows.at(-1)?.digest);
  });
});

describe('ClientToken', () => {
  it('gives the same ids for the same request, and refuses another body', async () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`);
    const [a, b] = await Promise.all([kiln.submit(body, 'token-1'), kiln.submit(body, 'token-1')]);
    expect(a.ImageBuildId).toBe(b.ImageBuildId);
    const again = await kiln.pai('POST', '/api/v1/imagebuilds', { body, query: { ClientToken: 'token-1' } });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const other = await kiln.pai('POST', '/api/v1/imagebuilds', {
      body: { ...body, OverwriteImageTag: true },
      query: { ClientToken: 'token-1' },
    });
    expect(other).toMatchObject({ status: 400, body: { Code: 'IdempotentParameterMismatch' } });
    await kiln.ended(a.ImageBuildId);
    expect(await kiln.submit(body, 'token-1')).toMatchObject({ ImageBuildId: a.ImageBuildId });
  });

  it('stands for a request whatever the order of its registries', async () => {
    const auth = (...hosts: string[]) =>
      Object.fromEntries(hosts.map((it) => [it, { Auth: Buffer.from('user:password').toString('base64') }]));
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`, {
      config: { RegistryAuths: auth('a.example', 'b.example') },
    });
    const swapped = {
      ...body,
      BuildConfig: { ...(body.BuildConfig as object), RegistryAuths: auth('b.example', 'a.example') },
    };
    const { ImageBuildId } = await kiln.submit(body, 'token-order');
    expect(await kiln.submit(swapped, 'token-order')).toMatchObject({ ImageBuildId });
    const other = await kiln.pai('POST', '/api/v1/imagebuilds', {
      body: {
        ...body,
        BuildConfig: { ...(body.BuildConfig as object), RegistryAuths: auth('a.example', 'c.example') },
      },
      query: { ClientToken: 'token-order' },
    });
    expect(other).toMatchObject({ status: 400, body: { Code: 'IdempotentParameterMismatch' } });
    await kiln.ended(ImageBuildId);
  });

  it('is not used up by a request that was refused', async () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`);
    const refused = await kiln.pai('POST', '/api/v1/imagebuilds', {
      body: { ...body, Image: { ...body.Image, Name: 'Wrong' } },
      query: { ClientToken: 'token-2' },
    });
    expect(refused).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter', Message: expect.stringMatching(/^Image\.Name: must start with/) as string },
    });
    await kiln.submit(body, 'token-2');
  });
});

describe('cancel', () => {
  it('stops a running build at once and publishes nothing', async () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; trap "" TERM; sleep 600\n`);
    const { ImageBuildId, ImageBuildJobId } = await kiln.submit(body);
    await eventually(
      async () => ((await kiln.logs(ImageBuildId)).includes('begun\n') ? true : undefined),
      'the step to run',
    );
    const asked = Date.now();
    expect(await kiln.pai('POST', `/api/v1/jobs/${ImageBuildJobId}/stop`)).toMatchObject({
      status: 200,
      body: { JobId: ImageBuildJobId },
    });
    const build = await kiln.ended(ImageBuildId);
    expect(Date.now() - asked).toBeLessThan(20_000);
    expect(build).toMatchObject({ State: 'cancelled', Error: { Code: 'Cancelled' } });
    const { body: job } = await kiln.pai('GET', `/api/v1/jobs/${ImageBuildJobId}`);
    expect(job).toMatchObject({ Status: 'Stopped', ReasonCode: 'JobStoppedByUser' });
    expect(await tagDigest(body.Image.Uri)).toBeUndefined();
    // Asking again is fine; the image is nowhere.
    expect((await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`)).status).toBe(200);
    expect(
      (
        await kiln.pai('GET', '/api/v1/images', {
          query: { WorkspaceId: kiln.account.workspaceId, Name: body.Image.Name },
        })
      ).body.TotalCount,
    ).toBe(0);
  });

  it('says that a build had finished', async () => {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
    await kiln.ended(ImageBuildId);
    const answer = await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
    expect(answer).toMatchObject({ status: 409, body: { Code: 'BuildAlreadyFinished' } });
  });
});
