import { paiImageOperations as operations } from '@kiln/contract';
import { pushImage } from '@kiln/stack/client';
import { type Conformance, fail, succeed } from './context.ts';

/** The catalogue, as PAI's users drive it. */
export function checkPaiImages({ kiln, client, member, stranger, record, named }: Conformance): void {
  const uri = (name: string) => `${kiln().stack.registryHost}/conform/${name}:v1`;
  const push = (name: string) =>
    pushImage(kiln().stack.registryHost, `conform/${name}`, 'v1', 'amd64', undefined, name);
  const workspace = () => kiln().account.workspaceId;
  const add = async (name: string, more: object = {}) => {
    await push(name);
    const body = { Name: name, ImageUri: uri(name), WorkspaceId: workspace(), ...more };
    return (await succeed(client(), operations.AddImage, { body })) as { ImageId: string; RequestId: string };
  };
  const get = (ImageId: string, query?: Record<string, string>) =>
    succeed(client(), operations.GetImage, { params: { ImageId }, ...(query ? { query } : {}) });

  it('adds an image with everything that can be said of it, and shows it', async () => {
    const name = named('whole');
    const ImageId = `image-${named('Whole')
      .replace(/[^a-zA-Z0-9]/g, '')
      .padEnd(18, '0')
      .slice(0, 18)}`;
    const added = await add(name, {
      Description: 'Ünïcode ✓',
      Labels: [{ Key: 'system.chipType', Value: 'GPU' }],
      Accessibility: 'PUBLIC',
      Size: 7,
      ImageId,
      SourceType: 'Community',
      SourceId: 'source-1',
    });
    expect(added).toMatchObject({ ImageId, RequestId: expect.stringMatching(/^[0-9A-F-]{36}$/) });
    const brief = await get(ImageId);
    expect(brief).toMatchObject({
      Name: name,
      ImageUri: uri(name),
      Description: 'Ünïcode ✓',
      Accessibility: 'PUBLIC',
      WorkspaceId: workspace(),
      UserId: kiln().account.userId,
      ParentUserId: kiln().account.accountId,
      SourceType: 'Community',
      SourceId: 'source-1',
    });
    expect(brief.Size).toBe(brief.SizeInBytes);
    expect(brief.Size).toBeGreaterThan(100);
    expect(brief.GmtCreateTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(brief.Labels).toBeUndefined();
    expect((await get(ImageId, { Verbose: 'true' })).Labels).toEqual([{ Key: 'system.chipType', Value: 'GPU' }]);
    record.proved(
      client(),
      operations.AddImage,
      'body.Name body.ImageUri body.Description body.Labels body.WorkspaceId body.Accessibility body.Size body.ImageId body.SourceType body.SourceId',
    );
    record.proved(client(), operations.GetImage, 'path.ImageId query.Verbose');

    const again = { Name: named('other'), ImageUri: uri(name), WorkspaceId: workspace(), ImageId };
    expect(await fail(client(), operations.AddImage, { body: again })).toMatchObject({
      status: 409,
      code: 'ImageIdDuplicated',
    });
    const { ImageId: _, ...sameUri } = again;
    expect(await succeed(client(), operations.AddImage, { body: sameUri })).toMatchObject({
      ImageId: expect.stringMatching(/^image-[a-z0-9]{18}$/),
    });
    expect(await fail(client(), operations.AddImage, { body: sameUri })).toMatchObject({
      status: 409,
      code: 'ImageNameDuplicated',
    });
  });

  it('refuses what will not do, and says which field', async () => {
    const bad = (body: object) => fail(client(), operations.AddImage, { body });
    expect(await bad({ ImageUri: uri('x') })).toMatchObject({
      status: 400,
      code: 'InvalidParameter',
      message: expect.stringContaining('Name: is required'),
    });
    expect(await bad({ Name: 'Upper', ImageUri: uri('x') })).toMatchObject({ code: 'InvalidParameter' });
    expect(await bad({ Name: named('gone'), ImageUri: uri('never-pushed'), WorkspaceId: workspace() })).toMatchObject({
      status: 404,
      code: 'ImagePathNotFound',
    });
    expect(await bad({ Name: named('gone'), ImageUri: uri('x'), WorkspaceId: '999' })).toMatchObject({
      status: 404,
      code: '100400027',
    });
    const unknown = { params: { ImageId: 'image-000000000000000000' } };
    for (const it of [operations.GetImage, operations.RemoveImage, operations.PublishImage])
      expect(await fail(client(), it, unknown)).toMatchObject({
        status: 404,
        code: 'ImageNotFound',
        requestId: expect.any(String),
      });
    expect(
      await fail(client(), operations.AddImageLabels, { ...unknown, body: { Labels: [{ Key: 'a', Value: 'b' }] } }),
    ).toMatchObject({ code: 'ImageNotFound' });
    expect(
      await fail(client(), operations.RemoveImageLabels, { params: { ...unknown.params, LabelKey: 'a' } }),
    ).toMatchObject({ code: 'ImageNotFound' });
    expect(await fail(client(), operations.ListImages, { query: { PageSize: '0' } })).toMatchObject({
      code: 'InvalidParameter',
      message: expect.stringContaining('PageSize'),
    });
    expect(await fail(client(), operations.ListImageLabels, { query: { WorkspaceId: '999' } })).toMatchObject({
      code: '100400027',
    });
  });

  it('lists by every filter, in order, page by page', async () => {
    const [first, second, third] = ['list-a', 'list-b', 'list-c'].map(named) as [string, string, string];
    await add(first, { Description: named('needle'), Labels: [{ Key: 'system.framework', Value: 'XGBoost 1.6.0' }] });
    await add(second, { Accessibility: 'PUBLIC', Labels: [{ Key: 'system.framework', Value: 'PyTorch' }, { Key: 'os', Value: named('l') }], SourceType: 't', SourceId: 's' }); // prettier-ignore
    await add(third, { Labels: [{ Key: 'os', Value: named('l') }] });
    const list = async (query: Record<string, string>) => {
      const { Images, TotalCount } = await succeed(client(), operations.ListImages, {
        query: { WorkspaceId: workspace(), Name: named('list'), ...query },
      });
      return {
        names: (Images as { Name: string }[]).map((it) => it.Name),
        total: TotalCount as number,
        images: Images,
      };
    };
    expect(await list({})).toMatchObject({ names: [first, second, third], total: 3 });
    expect(await list({ SortBy: 'GmtCreateTime', Order: 'DESC' })).toMatchObject({ names: [third, second, first] });
    expect(await list({ PageSize: '2', PageNumber: '2' })).toMatchObject({ names: [third], total: 3 });
    expect(await list({ Name: named('LIST-B') })).toMatchObject({ names: [second], total: 1 });
    expect(await list({ Query: named('needle') })).toMatchObject({ names: [first] });
    expect(await list({ ImageUri: uri(second) })).toMatchObject({ names: [second] });
    expect(await list({ Accessibility: 'PUBLIC' })).toMatchObject({ names: [second] });
    expect(await list({ Labels: 'system.framework=XGBoost 1.6.0' })).toMatchObject({ names: [first] });
    expect(await list({ Labels: 'system.framework=*' })).toMatchObject({ names: [first, second] });
    expect(await list({ Labels: `system.framework=*,os=${named('l')}` })).toMatchObject({ names: [second] });
    expect(await list({ UserId: 'x', ParentUserId: 'y' })).toMatchObject({ total: 3 });
    expect((await list({})).images[0].Labels).toBeUndefined();
    const verbose = await list({ Verbose: 'true' });
    expect(verbose.images[2].Labels).toEqual([{ Key: 'os', Value: named('l') }]);
    const everywhere = await succeed(client(), operations.ListImages, { query: { Name: named('list') } });
    expect(everywhere).toMatchObject({ TotalCount: 1, Images: [{ Name: second }] });
    record.proved(
      client(),
      operations.ListImages,
      'query.Name query.Query query.ImageUri query.Labels query.WorkspaceId query.Accessibility query.Verbose query.SortBy query.Order query.PageNumber query.PageSize',
    );
  });

  it('adds, replaces, lists and removes labels', async () => {
    const name = named('labels');
    const { ImageId } = await add(name);
    const params = { ImageId };
    const put = (Labels: object[]) => succeed(client(), operations.AddImageLabels, { params, body: { Labels } });
    const key = 'a key/ü%2B+?';
    expect(await put([{ Key: 'team', Value: named('a') }, { Key: key, Value: 'x' }])).toEqual({ RequestId: expect.any(String) }); // prettier-ignore
    await put([{ Key: 'team', Value: named('b') }]);
    expect((await get(ImageId, { Verbose: 'true' })).Labels).toEqual([
      { Key: key, Value: 'x' },
      { Key: 'team', Value: named('b') },
    ]);
    const labels = (query: Record<string, string>) => succeed(client(), operations.ListImageLabels, { query });
    expect(await labels({ ImageId })).toMatchObject({ TotalCount: 2 });
    expect(await labels({ ImageId, LabelKeys: 'team,other' })).toMatchObject({
      TotalCount: 1,
      Labels: [{ Key: 'team', Value: named('b') }],
    });
    expect(await labels({ LabelFilter: `team=${named('b')}`, WorkspaceId: workspace() })).toMatchObject({
      Labels: [{ Key: 'team', Value: named('b') }],
    });
    await succeed(client(), operations.RemoveImageLabels, { params: { ImageId, LabelKey: key } });
    expect((await get(ImageId, { Verbose: 'true' })).Labels).toEqual([{ Key: 'team', Value: named('b') }]);
    const official = { params, body: { Labels: [{ Key: 'system.official', Value: 'true' }] } };
    expect(await fail(client(), operations.AddImageLabels, official)).toMatchObject({ code: 'InvalidParameter' });
    const many = Array.from({ length: 64 }, (_, n) => ({ Key: `k${n}`, Value: '' }));
    expect(await fail(client(), operations.AddImageLabels, { params, body: { Labels: many } })).toMatchObject({
      code: 'InvalidParameter',
    });
    expect((await get(ImageId, { Verbose: 'true' })).Labels).toHaveLength(1);
    record.proved(client(), operations.AddImageLabels, 'path.ImageId body.Labels');
    record.proved(client(), operations.RemoveImageLabels, 'path.ImageId path.LabelKey');
    record.proved(
      client(),
      operations.ListImageLabels,
      'query.LabelKeys query.LabelFilter query.ImageId query.WorkspaceId',
    );
  });

  it('publishes to the workspace and removes, by its owner only', async () => {
    const { ImageId } = await add(named('publish'));
    const params = { ImageId };
    expect(await fail(member(), operations.GetImage, { params })).toMatchObject({ code: 'ImageNotFound' });
    expect(await succeed(client(), operations.PublishImage, { params })).toMatchObject({ ImageId });
    expect(await succeed(member(), operations.GetImage, { params })).toMatchObject({ Accessibility: 'PUBLIC' });
    expect(await fail(stranger(), operations.GetImage, { params })).toMatchObject({ code: 'ImageNotFound' });
    expect(await fail(member(), operations.RemoveImage, { params })).toMatchObject({
      status: 403,
      code: 'Forbidden.RAM',
    });
    expect(await succeed(client(), operations.RemoveImage, { params })).toEqual({ RequestId: expect.any(String) });
    expect(await fail(client(), operations.GetImage, { params })).toMatchObject({ code: 'ImageNotFound' });
    // The name is free again.
    await add(named('publish'));
    record.proved(client(), operations.PublishImage, 'path.ImageId');
    record.proved(client(), operations.RemoveImage, 'path.ImageId');
  });
}
