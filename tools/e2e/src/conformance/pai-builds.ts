import { buildOperations, jobOperations as jobs, paiImageOperations } from '@kiln/contract';
import { eventually } from '@kiln/kit/testing';
import { type Conformance, fail, succeed } from './context.ts';

const { CreateImageBuild } = buildOperations;

/** Builds, as PAI's users submit and follow them. */
export function checkPaiBuilds({ kiln, client, member, record, named }: Conformance): void {
  const request = (name: string, change: { top?: object; config?: object; image?: object } = {}) => ({
    WorkspaceId: kiln().account.workspaceId,
    Resource: {},
    TargetRegistry: { Type: 'AcrEnterprise', InstanceId: kiln().account.connectionId },
    BuildConfig: {
      Dockerfile: `FROM ${kiln().base}\nRUN echo hello\n`,
      BuildType: 'CustomDockerfile',
      ...change.config,
    },
    Image: { Name: name, Uri: `${kiln().stack.registryHost}/conform/${name}:v1`, ...change.image },
    ...change.top,
  });
  const create = (body: object, query?: Record<string, string>) =>
    succeed(client(), CreateImageBuild, { body, ...(query ? { query } : {}) }) as Promise<{
      ImageBuildId: string;
      ImageBuildJobId: string;
    }>;
  const job = (JobId: string) => succeed(client(), jobs.GetJob, { params: { JobId } });
  const final = (JobId: string) =>
    eventually(
      async () => {
        const it = await job(JobId);
        return ['Succeeded', 'Failed', 'Stopped'].includes(it.Status) ? it : undefined;
      },
      `the end of ${JobId}`,
      60_000,
    );

  it('builds with everything that can be asked for, and is followed to the image', async () => {
    const name = named('built');
    const body = request(name, {
      top: {
        Accessibility: 'PUBLIC',
        Resource: {
          EcsSpec: 'ecs.c6.large',
          ResourceConfig: { CPU: '4', Memory: '8Gi' },
          ResourceId: 'quota-1',
          ResourceType: 'Lingjun',
        },
        UserVpc: {
          VpcId: 'vpc-1',
          SwitchId: 'vsw-1',
          SecurityGroupId: 'sg-1',
          ExtendedCidrs: ['10.0.0.0/8'],
          DefaultRoute: 'eth0',
        },
        OverwriteImageTag: false,
        RegionId: 'cn-hangzhou',
        ImageBuildJobName: `Job of ${name}`,
      },
      image: { Description: 'a build', Labels: [{ Key: 'key1', Value: 'value1' }] },
    });
    const token = { ClientToken: named('token') };
    const accepted = await create(body, token);
    expect(accepted).toMatchObject({
      ImageBuildId: expect.stringMatching(/^build-/),
      ImageBuildJobId: expect.stringMatching(/^dlc-/),
    });
    const { RequestId: _, ...ids } = accepted as { RequestId?: string };
    expect(await create(body, token)).toMatchObject(ids);
    const other = { ...body, ImageBuildJobName: 'another' };
    expect(await fail(client(), CreateImageBuild, { body: other, query: token })).toMatchObject({
      status: 400,
      code: 'IdempotentParameterMismatch',
    });

    const JobId = accepted.ImageBuildJobId;
    const done = await final(JobId);
    expect(done).toMatchObject({
      Status: 'Succeeded',
      ReasonCode: 'JobSucceeded',
      DisplayName: `Job of ${name}`,
      ResourceId: 'quota-1',
      Accessibility: 'PUBLIC',
      WorkspaceName: 'default',
      JobSpecs: [{ EcsSpec: 'ecs.c6.large', ResourceConfig: { CPU: '4', Memory: '8Gi' }, Image: body.Image.Uri }],
    });
    expect(done.GmtCreateTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(
      (await succeed(client(), jobs.GetJob, { params: { JobId }, query: { NeedDetail: 'false' } })).Pods,
    ).toBeUndefined();

    const { PodId, PodUid } = done.Pods[0];
    expect(PodId).toBe(`${JobId}-worker-0`);
    const pod = { JobId, PodId };
    const logs = (query: Record<string, string> = {}) => succeed(client(), jobs.GetPodLogs, { params: pod, query });
    const whole = (await logs({ PodUid })).Logs as string[];
    expect(whole.some((it) => it.endsWith(' hello'))).toBe(true);
    expect((await logs({ MaxLines: '1' })).Logs).toEqual(whole.slice(0, 1));
    expect((await logs({ StartTime: '2099-01-01T00:00:00Z' })).Logs).toEqual([]);
    expect((await logs({ EndTime: '2020-01-01T00:00:00Z' })).Logs).toEqual([]);
    expect((await logs({ DownloadToFile: 'true' })).Logs).toEqual(whole);
    expect(await fail(client(), jobs.GetPodLogs, { params: pod, query: { PodUid: 'no' } })).toMatchObject({
      status: 404,
    });

    for (const [operation, params] of [
      [jobs.GetJobEvents, { JobId }],
      [jobs.GetPodEvents, pod],
    ] as const) {
      const events = async (query: Record<string, string>) =>
        (await succeed(client(), operation, { params, query })).Events as string[];
      const all = await events({});
      expect(all[0]).toMatch(/^\d{4}-.*Z \[Queuing\] accepted$/);
      expect(await events({ MaxEventsNum: '1' })).toEqual(all.slice(0, 1));
      expect(await events({ StartTime: '2099-01-01T00:00:00Z' })).toEqual([]);
      expect(await events({ EndTime: '2020-01-01T00:00:00Z' })).toEqual([]);
      record.proved(client(), operation, 'path.JobId query.StartTime query.EndTime query.MaxEventsNum');
    }
    expect((await succeed(client(), jobs.GetPodEvents, { params: pod, query: { PodUid } })).Events).not.toEqual([]);
    expect(await fail(client(), jobs.GetPodEvents, { params: pod, query: { PodUid: 'no' } })).toMatchObject({
      status: 404,
    });

    const images = await succeed(client(), paiImageOperations.ListImages, {
      query: { WorkspaceId: body.WorkspaceId, Name: name, Verbose: 'true' },
    });
    expect(images).toMatchObject({
      TotalCount: 1,
      Images: [
        {
          Name: name,
          ImageUri: body.Image.Uri,
          Description: 'a build',
          Accessibility: 'PUBLIC',
          Labels: [{ Key: 'key1', Value: 'value1' }],
        },
      ],
    });
    const kept = await kiln().pai('GET', `/api/v1/imagebuilds/${accepted.ImageBuildId}`);
    expect(kept.body.Request).toMatchObject({
      UserVpc: (body as { UserVpc?: object }).UserVpc,
      Resource: (body as { Resource?: object }).Resource,
    });
    record.proved(
      client(),
      CreateImageBuild,
      'query.ClientToken body.WorkspaceId body.Accessibility body.Resource.EcsSpec body.Resource.ResourceConfig.CPU body.Resource.ResourceConfig.Memory body.Resource.ResourceId body.Resource.ResourceType body.UserVpc.VpcId body.UserVpc.SwitchId body.UserVpc.SecurityGroupId body.UserVpc.ExtendedCidrs body.UserVpc.DefaultRoute body.TargetRegistry.Type body.TargetRegistry.InstanceId body.BuildConfig.Dockerfile body.BuildConfig.BuildType body.ImageBuildJobName body.Image.Name body.Image.Uri body.Image.Description body.Image.Labels',
    );
    record.proved(client(), jobs.GetJob, 'path.JobId query.NeedDetail');
    record.proved(
      client(),
      jobs.GetPodLogs,
      'path.JobId path.PodId query.PodUid query.StartTime query.EndTime query.MaxLines query.DownloadToFile',
    );
    record.proved(client(), jobs.GetPodEvents, 'path.PodId query.PodUid');
  });

  it('leaves a tag alone unless told to overwrite it, and uses the credentials that came along', async () => {
    const tagged = named('built');
    const Uri = `${kiln().stack.registryHost}/conform/${tagged}:v1`;
    const refused = await create(request(named('again-a'), { image: { Uri } }));
    expect(await final(refused.ImageBuildJobId)).toMatchObject({ Status: 'Failed', ReasonCode: 'TagExists' });
    const allowed = await create(request(named('again-b'), { image: { Uri }, top: { OverwriteImageTag: true } }));
    expect(await final(allowed.ImageBuildJobId)).toMatchObject({ Status: 'Succeeded' });

    const host = kiln().stack.privateRegistryHost;
    const from = async (name: string, password: string) => {
      const Auth = Buffer.from(`kiln:${password}`).toString('base64');
      const config = { Dockerfile: `FROM ${host}/no/such:v1\n`, RegistryAuths: { [host]: { Auth } } };
      return (await final((await create(request(named(name), { config }))).ImageBuildJobId)).ReasonCode as string;
    };
    await kiln().trustPlainHttp(host);
    expect(await from('auth-a', 'wrong')).toBe('BaseImageDenied');
    expect(await from('auth-b', 'kiln-test')).toBe('BaseImageNotFound');
    record.proved(client(), CreateImageBuild, 'body.OverwriteImageTag body.BuildConfig.RegistryAuths');
  });

  it('refuses what will not do, and says which field', async () => {
    const bad = (change: Parameters<typeof request>[1]) =>
      fail(client(), CreateImageBuild, { body: request(named('bad'), change) });
    expect(await bad({ top: { WorkspaceId: '999' } })).toMatchObject({ status: 404, code: '100400027' });
    expect(await bad({ image: { Name: 'No' } })).toMatchObject({
      code: 'InvalidParameter',
      message: expect.stringContaining('Image.Name'),
    });
    expect(await bad({ config: { BuildType: 'Other' } })).toMatchObject({ code: 'InvalidParameter' });
    expect(await bad({ config: { Dockerfile: 'RUN no base' } })).toMatchObject({ code: 'DockerfileInvalid' });
    expect(await bad({ top: { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: 'no' } } })).toMatchObject({
      code: 'RegistryConnectionNotFound',
    });
    const unknown = { params: { JobId: 'dlc-no', PodId: 'dlc-no-worker-0' } };
    for (const it of [jobs.GetJob, jobs.GetJobEvents, jobs.GetPodLogs, jobs.GetPodEvents, jobs.StopJob, jobs.DeleteJob])
      expect(await fail(client(), it, unknown)).toMatchObject({ status: 404, code: 'NotFound' });
  });

  it('lists, stops and deletes jobs', async () => {
    const slow = await create(
      request(named('slow'), {
        config: { Dockerfile: `FROM ${kiln().base}\nRUN sleep 60\n` },
        top: { Resource: { ResourceId: named('quota') } },
      }),
    );
    const JobId = slow.ImageBuildJobId;
    const params = { JobId };
    expect(await fail(client(), jobs.DeleteJob, { params })).toMatchObject({ status: 409, code: 'JobNotFinished' });
    expect(await fail(member(), jobs.StopJob, { params })).toMatchObject({ status: 404 });
    expect(await succeed(client(), jobs.StopJob, { params })).toMatchObject({ JobId });
    expect(await final(JobId)).toMatchObject({ Status: 'Stopped', ReasonCode: 'JobStoppedByUser' });
    const [built] = (
      await succeed(client(), jobs.ListJobs, { query: { DisplayName: `Job of ${named('built')}`.toUpperCase() } })
    ).Jobs as { JobId: string }[];
    expect(await fail(client(), jobs.StopJob, { params: { JobId: built?.JobId ?? '' } })).toMatchObject({
      status: 409,
      code: 'BuildAlreadyFinished',
    });

    const mine = async (query: Record<string, string>) => {
      const answer = await succeed(client(), jobs.ListJobs, { query: { DisplayName: named(''), ...query } });
      const all = answer.Jobs as { JobId: string; DisplayName: string }[];
      return {
        total: answer.TotalCount as number,
        ids: all.map((it) => it.JobId),
        names: all.map((it) => it.DisplayName),
      };
    };
    const all = await mine({});
    expect(all.ids[0]).toBe(JobId);
    expect(all.total).toBe(all.ids.length);
    expect((await mine({ Order: 'asc' })).ids).toEqual([...all.ids].reverse());
    expect(await mine({ PageSize: '2', PageNumber: '2' })).toMatchObject({
      total: all.total,
      ids: all.ids.slice(2, 4),
    });
    expect((await mine({ SortBy: 'DisplayName', Order: 'asc' })).names).toEqual([...all.names].sort());
    expect(await mine({ Status: 'Stopped' })).toMatchObject({ ids: [JobId] });
    expect((await mine({ Status: 'Failed' })).total).toBe(3);
    expect((await mine({ Status: 'Bidding' })).total).toBe(0);
    expect(await mine({ JobId })).toMatchObject({ ids: [JobId] });
    expect(await mine({ JobIds: `${JobId},dlc-no` })).toMatchObject({ ids: [JobId], total: 1 });
    expect(await mine({ ResourceId: named('quota') })).toMatchObject({ ids: [JobId] });
    expect((await mine({ JobType: 'TFJob' })).total).toBe(0);
    expect((await mine({ JobType: 'ImageBuild' })).total).toBe(all.total);
    expect(await mine({ Accessibility: 'PUBLIC' })).toMatchObject({ ids: [built?.JobId] });
    expect((await mine({ ShowOwn: 'true' })).total).toBe(all.total);
    expect((await mine({ EndTime: '2020-01-01T00:00:00Z' })).total).toBe(0);
    expect((await mine({ StartTime: '2020-01-01T00:00:00Z' })).total).toBe(all.total);
    expect((await mine({ StartTime: '2099-01-01T00:00:00Z' })).total).toBe(0);
    expect((await mine({ WorkspaceId: kiln().account.workspaceId })).total).toBe(all.total);
    const byMember = await succeed(member(), jobs.ListJobs, { query: { DisplayName: named('') } });
    expect(byMember).toMatchObject({ TotalCount: 1, Jobs: [{ JobId: built?.JobId }] });
    expect((await succeed(member(), jobs.ListJobs, { query: { ShowOwn: 'true' } })).TotalCount).toBe(0);
    expect(await fail(client(), jobs.ListJobs, { query: { SortBy: 'No' } })).toMatchObject({
      code: 'InvalidParameter',
      message: expect.stringContaining('SortBy'),
    });

    expect(await succeed(client(), jobs.DeleteJob, { params })).toMatchObject({ JobId });
    expect(await fail(client(), jobs.GetJob, { params })).toMatchObject({ code: 'NotFound' });
    expect((await mine({})).total).toBe(all.total - 1);
    record.proved(
      client(),
      jobs.ListJobs,
      'query.WorkspaceId query.DisplayName query.JobId query.JobIds query.JobType query.Status query.ResourceId query.SortBy query.Order query.PageNumber query.PageSize query.StartTime query.EndTime query.ShowOwn query.Accessibility',
    );
    record.proved(client(), jobs.StopJob, 'path.JobId');
    record.proved(client(), jobs.DeleteJob, 'path.JobId');
  });
}
