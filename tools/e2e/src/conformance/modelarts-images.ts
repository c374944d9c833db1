import { modelArtsImageOperations as operations, paiImageOperations, projectOperations } from '@kiln/contract';
import { pushImage } from '@kiln/stack/client';
import type { CloudClient } from './cloud-clients.ts';
import { type Conformance, fail, succeed } from './context.ts';

/** The catalogue, as ModelArts' users drive it. `pai` is another cloud's client on the same account. */
export function checkModelArts(
  { kiln, client, member, stranger, record, named }: Conformance,
  pai: () => CloudClient,
): void {
  const host = () => kiln().stack.registryHost;
  const space = () => named('ns');
  const push = (name: string, tag = 'v1') =>
    pushImage(host(), `${space()}/${name}`, tag, 'amd64', undefined, `${name}${tag}`);
  const register = async (name: string, more: object = {}, tag = 'v1') => {
    await push(name, tag);
    return succeed(client(), operations.RegisterImage, {
      body: { swr_path: `${host()}/${space()}/${name}:${tag}`, ...more },
    });
  };
  const show = (id: string) => succeed(client(), operations.ShowImage, { params: { id } });

  it('registers an image with everything that can be said of it, and shows it', async () => {
    const said = {
      arch: 'X86_64',
      description: 'Ünïcode ✓',
      origin: 'IMAGE_SAVE',
      resource_category: ['ASCEND'],
      service_type: 'TRAIN',
      services: ['SSH'],
      visibility: 'PUBLIC',
      workspace_id: '0',
      flavor_type: 'ASCEND_SNT9B',
      swr_instance_id: kiln().account.connectionId,
      tags: ['team=ml', 'plain'],
      read_me: '# Read me',
    };
    const image = await register('whole', said);
    expect(image).toMatchObject({
      httpStatusCode: 200,
      status: 'ACTIVE',
      arch: 'x86_64',
      name: 'whole',
      namespace: space(),
      tag: 'v1',
      show_name: 'whole',
      show_tag: 'v1',
      description: 'Ünïcode ✓',
      origin: 'IMAGE_SAVE',
      resource_categories: ['ASCEND'],
      support_res_categories: ['ASCEND'],
      service_type: 'TRAIN',
      dev_services: ['SSH'],
      visibility: 'PUBLIC',
      workspace_id: '0',
      flavor_type: 'ASCEND_SNT9B',
      swr_instance_id: kiln().account.connectionId,
      type: 'DEDICATED',
      tags: [
        { key: 'plain', value: '' },
        { key: 'team', value: 'ml' },
      ],
    });
    expect(Number.isInteger(image.create_at) && image.create_at > 1.6e12).toBe(true);
    expect(await show(image.id)).toMatchObject({ id: image.id, description: 'Ünïcode ✓' });
    const groups = await succeed(client(), operations.ListImageGroup, { query: { namespace: space(), name: 'whole' } });
    expect(groups.data).toMatchObject([{ name: 'whole', read_me: '# Read me', version_count: 1 }]);
    record.proved(
      client(),
      operations.RegisterImage,
      'path.project_id body.swr_path body.arch body.description body.origin body.resource_category body.service_type body.services body.visibility body.workspace_id body.flavor_type body.tags body.swr_instance_id body.read_me',
    );
    record.proved(client(), operations.ShowImage, 'path.id');

    expect(
      await fail(client(), operations.RegisterImage, { body: { swr_path: `${host()}/${space()}/whole:v1` } }),
    ).toMatchObject({ status: 400, code: 'ModelArts.6737' });
  });

  it('refuses what will not do, and says which field', async () => {
    const bad = (body: object) => fail(client(), operations.RegisterImage, { body });
    expect(await bad({})).toMatchObject({
      name: 'ClientRequestException',
      status: 400,
      code: 'ModelArts.0104',
      message: expect.stringContaining('swr_path: is required'),
      requestId: expect.stringMatching(/^[0-9A-F-]{36}$/),
    });
    expect(await bad({ swr_path: `${host()}/${space()}/never:v1` })).toMatchObject({ code: 'ModelArts.6797' });
    expect(await bad({ swr_path: `${host()}/${space()}/whole:v1`, workspace_id: 'f'.repeat(32) })).toMatchObject({
      code: 'ModelArts.0102',
    });
    expect(await bad({ swr_path: `${host()}/${space()}/whole:v1`, swr_instance_id: 'no' })).toMatchObject({
      code: 'ModelArts.0104',
    });
    await push('arm');
    expect(await bad({ swr_path: `${host()}/${space()}/arm:v1`, arch: 'AARCH64' })).toMatchObject({
      code: 'ModelArts.0107',
    });
    const id = '708ca95d-c601-4dc7-86b9-670adfd5e818';
    const params = { id, image_id: id };
    for (const it of [operations.ShowImage, operations.DeleteImage, operations.SyncImage, operations.DeleteImageGroup])
      expect(await fail(client(), it, { params })).toMatchObject({ status: 400, code: 'ModelArts.6797' });
    expect(await fail(client(), operations.UpdateImageGroup, { params, body: { read_me: '' } })).toMatchObject({
      code: 'ModelArts.6797',
    });
    expect(await fail(client(), operations.ShowImage, { params: { id: 'a b' } })).toMatchObject({
      status: 400,
      code: 'ModelArts.6797',
    });
    expect(await fail(client(), operations.ListImage, { query: { sort_key: 'no' } })).toMatchObject({
      code: 'ModelArts.6303',
      message: expect.stringContaining('sort_key'),
    });
    expect(await fail(client(), operations.ListImageGroup, { query: { limit: '-1' } })).toMatchObject({
      code: 'ModelArts.0104',
    });
  });

  it('lists by every filter, in order, page by page', async () => {
    await register('list-a', { service_type: 'DEV' });
    await register('list-b', {
      flavor_type: 'ASCEND_SNT9',
      swr_instance_id: kiln().account.connectionId,
      tags: ['a=b'],
    });
    await register('list-b', {}, 'v2');
    const list = async (query: Record<string, string>) => {
      const answer = await succeed(client(), operations.ListImage, {
        query: { namespace: space(), name: 'list', ...query },
      });
      return { ...answer, names: answer.data.map((it: { name: string; tag: string }) => `${it.name}:${it.tag}`) };
    };
    const newest = ['list-b:v2', 'list-b:v1', 'list-a:v1'];
    expect(await list({})).toMatchObject({ names: newest, total: 3, size: 3, current: 1, pages: 1 });
    expect(await list({ limit: '2', offset: '2' })).toMatchObject({ names: newest.slice(2), total: 3, size: 1, current: 2, pages: 2 }); // prettier-ignore
    expect(await list({ sort_dir: 'asc', sort_key: 'createTime' })).toMatchObject({ names: [...newest].reverse() });
    expect(await list({ sort_dir: 'ASC', sort_key: 'name,createTime' })).toMatchObject({
      names: ['list-a:v1', 'list-b:v1', 'list-b:v2'],
    });
    expect(await list({ name: 'LIST-A' })).toMatchObject({ names: ['list-a:v1'] });
    expect(await list({ name: 'list', name_fuzzy_match: 'false' })).toMatchObject({ total: 0 });
    expect(await list({ name: 'list-a', name_fuzzy_match: 'false' })).toMatchObject({ total: 1 });
    expect(await list({ namespace: space() })).toMatchObject({ total: 3 });
    expect(await list({ namespace: space().slice(0, 4) })).toMatchObject({ total: 0 });
    expect(await list({ service_type: 'DEV' })).toMatchObject({ names: ['list-a:v1'] });
    expect(await list({ type: 'BUILD_IN' })).toMatchObject({ total: 0 });
    expect(await list({ type: 'DEDICATED' })).toMatchObject({ total: 3 });
    expect(await list({ workspace_id: '0' })).toMatchObject({ total: 3 });
    expect(await list({ show_name: 'list-b', show_tag: 'v2' })).toMatchObject({ names: ['list-b:v2'] });
    expect(await fail(client(), operations.ListImage, { query: { workspace_id: 'f'.repeat(32) } })).toMatchObject({
      code: 'ModelArts.0102',
    });
    record.proved(
      client(),
      operations.ListImage,
      'query.limit query.offset query.name query.name_fuzzy_match query.namespace query.service_type query.sort_dir query.sort_key query.type query.workspace_id query.show_name query.show_tag',
    );
  });

  it('deletes the entry alone, or with force the registry’s manifest, too', async () => {
    const manifest = async (name: string) =>
      (
        await fetch(`http://${host()}/v2/${space()}/${name}/manifests/v1`, {
          headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
        })
      ).status;
    const remove = async (name: string, request: object) => {
      const more = { flavor_type: 'ASCEND_SNT3', swr_instance_id: kiln().account.connectionId, tags: ['x=y'] };
      const { id } = await register(name, more);
      const gone = await succeed(client(), operations.DeleteImage, { params: { id }, ...request });
      expect(gone).toMatchObject({ id, status: 'DELETED', status_message: '' });
      expect(await fail(client(), operations.ShowImage, { params: { id } })).toMatchObject({ code: 'ModelArts.6797' });
    };
    await remove('delete-a', {});
    expect(await manifest('delete-a')).toBe(200);
    await remove('delete-b', { body: { is_force: true } });
    expect(await manifest('delete-b')).toBe(404);
    await remove('delete-c', { query: { force: 'true' } });
    expect(await manifest('delete-c')).toBe(404);
    record.proved(client(), operations.DeleteImage, 'path.id query.force body.is_force');
  });

  it('finds out what the registry lost, and mends it', async () => {
    const { id, size } = await register('sync', { flavor_type: 'ASCEND_SNT3', swr_instance_id: kiln().account.connectionId, tags: ['x=y'] }); // prettier-ignore
    const sync = () => succeed(client(), operations.SyncImage, { params: { image_id: id } });
    expect(await sync()).toMatchObject({ id, status: 'ACTIVE', size });
    const { digest } = await push('sync');
    await fetch(`http://${host()}/v2/${space()}/sync/manifests/${digest}`, { method: 'DELETE' });
    const lost = await sync();
    expect(lost).toMatchObject({ status: 'ERROR', status_message: expect.stringContaining('/sync') });
    expect(await show(id)).toMatchObject({ status: 'ERROR' });
    await push('sync');
    expect(await sync()).toMatchObject({ status: 'ACTIVE', status_message: '' });
    record.proved(client(), operations.SyncImage, 'path.image_id');
  });

  it('groups versions', async () => {
    const connection = kiln().account.connectionId;
    await register('grouped', { swr_instance_id: connection });
    await register('grouped', { swr_instance_id: connection }, 'v2');
    const groups = (query: Record<string, string>) =>
      succeed(client(), operations.ListImageGroup, { query: { name: 'grouped', ...query } });
    const found = await groups({});
    expect(found).toMatchObject({ total: 1, current: 1, data: [{ name: 'grouped', namespace: space(), version_count: 2, swr_instance_id: connection }] }); // prettier-ignore
    const { id } = found.data[0];
    expect(await groups({ name: 'group', name_fuzzy_match: 'false' })).toMatchObject({ total: 0 });
    expect(await groups({ namespace: space(), type: 'DEDICATED', workspace_id: '0', swr_instance_id: connection })).toMatchObject({ total: 1 }); // prettier-ignore
    expect(await groups({ namespace: 'no' })).toMatchObject({ total: 0 });
    expect(await groups({ type: 'BUILD_IN' })).toMatchObject({ total: 0 });
    expect(await groups({ swr_instance_id: 'no' })).toMatchObject({ total: 0 });
    expect(await groups({ limit: '1', offset: '1' })).toMatchObject({ total: 1, data: [], current: 2 });
    record.proved(
      client(),
      operations.ListImageGroup,
      'query.name query.name_fuzzy_match query.namespace query.type query.workspace_id query.limit query.offset query.swr_instance_id',
    );

    const update = (body: object) => succeed(client(), operations.UpdateImageGroup, { params: { id }, body });
    expect(await update({ read_me: 'one' })).toMatchObject({ read_me: 'one', tags: [] });
    expect(await update({ tags: [{ key: 'k', value: 'v' }] })).toMatchObject({ read_me: 'one', tags: [{ key: 'k', value: 'v' }] }); // prettier-ignore
    expect((await groups({})).data[0]).toMatchObject({ read_me: 'one', tags: [{ key: 'k', value: 'v' }] });
    record.proved(client(), operations.UpdateImageGroup, 'path.id body.read_me body.tags');

    await succeed(client(), operations.DeleteImageGroup, { params: { id }, body: { is_force: true } });
    expect(await groups({})).toMatchObject({ total: 0 });
    expect(await succeed(client(), operations.ListImage, { query: { name: 'grouped' } })).toMatchObject({ total: 0 });
    const left = async () =>
      (
        await fetch(`http://${host()}/v2/${space()}/grouped/manifests/v2`, {
          headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
        })
      ).status;
    for (let tries = 0; tries < 40 && (await left()) !== 404; tries += 1)
      await new Promise((done) => setTimeout(done, 100));
    expect(await left()).toBe(404);
    record.proved(client(), operations.DeleteImageGroup, 'path.id body.is_force');
  });

  it('shows PUBLIC images to whoever names their id, and PRIVATE ones to their creator', async () => {
    const open = await register('open', { visibility: 'PUBLIC' });
    const closed = await register('closed');
    for (const other of [member(), stranger()]) {
      expect(await succeed(other, operations.ShowImage, { params: { id: open.id } })).toMatchObject({ id: open.id });
      expect(await fail(other, operations.ShowImage, { params: { id: closed.id } })).toMatchObject({ code: 'ModelArts.6797' }); // prettier-ignore
      expect(await fail(other, operations.DeleteImage, { params: { id: open.id } })).toMatchObject({ status: 403, code: 'ModelArts.0108' }); // prettier-ignore
      expect(await fail(other, operations.SyncImage, { params: { image_id: open.id } })).toMatchObject({ status: 403 });
    }
    expect(await succeed(stranger(), operations.ListImage, { query: { name: 'open' } })).toMatchObject({ total: 0 });
  });

  it('lists the projects of the caller, for clients that know only their region', async () => {
    const { accountId, projectId: id } = kiln().account;
    const list = (query: Record<string, string>) => succeed(client(), projectOperations.ListProjects, { query });
    expect(await list({})).toMatchObject({ projects: [{ id, name: 'default', domain_id: accountId, enabled: true }] });
    expect(await list({ name: 'cn-north-4' })).toMatchObject({ projects: [{ id, name: 'cn-north-4' }] });
    expect(await list({ domain_id: 'another' })).toMatchObject({ projects: [] });
    record.proved(client(), projectOperations.ListProjects, 'query.name query.domain_id');
  });

  it('keeps what the SDK calls HIDDEN, for its creator alone', async () => {
    const image = await register('hidden', { visibility: 'HIDDEN' });
    expect(image).toMatchObject({ status: 'ACTIVE', visibility: 'HIDDEN' });
    expect(await fail(member(), operations.ShowImage, { params: { id: image.id } })).toMatchObject({ code: 'ModelArts.6797' }); // prettier-ignore
  });

  it('is one catalogue with PAI’s', async () => {
    const image = await register('shared', { tags: ['team=ml'] });
    const workspace = kiln().account.workspaceId;
    const list = () =>
      succeed(pai(), paiImageOperations.ListImages, {
        query: { WorkspaceId: workspace, ImageUri: image.swr_path, Verbose: 'true' },
      });
    const [seen] = (await list()).Images;
    expect(seen).toMatchObject({ Name: 'shared-v1', Labels: [{ Key: 'team', Value: 'ml' }], Accessibility: 'PRIVATE' });
    const params = { ImageId: seen.ImageId };
    await succeed(pai(), paiImageOperations.AddImageLabels, {
      params,
      body: { Labels: [{ Key: 'more', Value: '1' }] },
    });
    await succeed(pai(), paiImageOperations.PublishImage, { params });
    expect(await show(image.id)).toMatchObject({
      visibility: 'PUBLIC',
      tags: [
        { key: 'more', value: '1' },
        { key: 'team', value: 'ml' },
      ],
    });
    // PAI's PUBLIC is for the workspace; it opens nothing to other accounts.
    expect(await fail(stranger(), operations.ShowImage, { params: { id: image.id } })).toMatchObject({ code: 'ModelArts.6797' }); // prettier-ignore
    await succeed(client(), operations.DeleteImage, { params: { id: image.id } });
    expect(await list()).toMatchObject({ TotalCount: 0 });
    expect(await fail(pai(), paiImageOperations.GetImage, { params })).toMatchObject({ code: 'ImageNotFound' });
  });
}
