import { randomUUID } from 'node:crypto';
import { eventually } from '@kiln/kit/testing';
import { pushImage } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

/** Its own part of the registry, which other runs have used, too. */
const home = `retention-${randomUUID().slice(0, 8)}`;
let kiln: TestKiln;
let path: string;
beforeAll(async () => {
  kiln = await openTestKiln();
  path = `/api/v1/workspaces/${kiln.account.workspaceId}/retention`;
  const off = { body: { Mode: 'off', Attest: 'off' } };
  await kiln.pai('PUT', `/api/v1/workspaces/${kiln.account.workspaceId}/policy`, off);
});
afterAll(() => kiln.stop());

const run = (text: string, values: unknown[]) => kiln.database.db.$client.query(text, values);
const age = (ids: string[], days: number) =>
  run(`UPDATE images SET created_at = now() - make_interval(days => $2) WHERE pai_id = ANY($1)`, [ids, days]);
const rule = (change: object = {}) => ({ Repositories: [`${home}/keep/**`], KeepLast: 1, KeepDays: 10, ...change });
const put = async (Rules: object[], change: object = {}) => {
  const answer = await kiln.pai('PUT', path, { body: { Rules, ...change } });
  expect(answer.status).toBe(200);
  return answer.body;
};
const plan = async () => {
  const answer = await kiln.pai('POST', `${path}/plans`);
  expect(answer.status).toBe(201);
  return answer.body;
};
const image = async (id: string) => (await kiln.pai('GET', `/api/v1/images/${id}`)).body;
const retiring = async () => (await kiln.pai('GET', `${path}/images`)).body.Images as any[];
/** An image of a repository, as old as it is to look. */
const add = async (repository: string, tag: string, days: number) => {
  const host = kiln.stack.registryHost;
  await pushImage(host, `${home}/${repository}`, tag, 'amd64', undefined, `${repository}:${tag}`);
  const body = { Name: `${repository}-${tag}`.replaceAll('/', '-'), ImageUri: `${host}/${home}/${repository}:${tag}` };
  const { ImageId } = (
    await kiln.pai('POST', '/api/v1/images', { body: { ...body, WorkspaceId: kiln.account.workspaceId } })
  ).body;
  await eventually(async () => ((await image(ImageId)).Status === 'ACTIVE' ? true : undefined), 'ACTIVE');
  await age([ImageId], days);
  return ImageId as string;
};
const build = async (dockerfile: string, repository: string) => {
  const made = kiln.buildRequest(dockerfile);
  const Uri = `${kiln.stack.registryHost}/${home}/${repository}:v1`;
  const { ImageBuildId } = await kiln.submit({ ...made, Image: { ...made.Image, Uri } });
  const ended = await kiln.ended(ImageBuildId);
  expect(ended.State).toBe('succeeded');
  return { id: ended.ImageId as string, uri: Uri };
};
const eventsOf = async (id: string) =>
  ((await kiln.pai('GET', '/api/v1/events', { query: { After: 'start', Limit: '500' } })).body.Events as any[]).flatMap(
    (it) => (it.data.ImageId === id ? [it.type as string] : []),
  );

it('lists what may go, and takes it out step by step only once the plan is run', async () => {
  const [old, last, other] = [await add('keep/a', 'v1', 30), await add('keep/a', 'v2', 20), await add('x/b', 'v1', 90)];
  expect((await plan()).Images).toEqual([]);
  expect(await put([rule()], { HideAfterDays: 0, DeleteAfterDays: 0 })).toMatchObject({
    Rules: [{ Repositories: [`${home}/keep/**`], KeepLast: 1, KeepTags: [], KeepUsedDays: 30 }],
    Purge: false,
  });
  const made = await plan();
  expect(made.Images.map((it: any) => it.ImageId)).toEqual([old]);
  expect(made.Images[0].Reason).toBe(
    'not among the last 1 of its repository, older than 10 days, not used for 30 days',
  );
  expect(made.Bytes).toBe(made.Images[0].SizeInBytes);
  expect((await image(old)).Status).toBe('ACTIVE');

  expect((await kiln.pai('POST', `${path}/plans/${made.PlanId}/run`)).body).toMatchObject({
    Deprecated: [old],
    Kept: [],
  });
  const again = await kiln.pai('POST', `${path}/plans/${made.PlanId}/run`);
  expect([again.status, again.body.Code]).toEqual([409, 'PlanNotRunnable']);
  await eventually(
    async () => ((await kiln.pai('GET', `/api/v1/images/${old}`)).status === 404 ? true : undefined),
    'its end',
  );
  expect((await eventsOf(old)).slice(-3)).toEqual(['image.deprecated', 'image.hidden', 'image.deleted']);
  for (const it of [last, other]) expect((await image(it)).Status).toBe('ACTIVE');
});

it('restores an image, with what it was before, and by itself where something keeps it', async () => {
  const [old, older] = [await add('keep/c', 'v1', 30), await add('keep/c', 'v0', 40)];
  await add('keep/c', 'v2', 20);
  await put([rule()], { HideAfterDays: 0, DeleteAfterDays: 100 });
  const { PlanId } = await plan();
  await kiln.pai('PUT', `/api/v1/images/${older}/publish`);
  const before = await image(older);
  const { Deprecated } = (await kiln.pai('POST', `${path}/plans/${PlanId}/run`)).body;
  expect([...Deprecated].sort()).toEqual([old, older].sort());
  await eventually(async () => {
    const found = await retiring();
    return found.length === 2 && found.every((it) => it.Stage === 'hidden') ? true : undefined;
  }, 'hidden images');
  expect(await image(older)).toMatchObject({ Accessibility: 'PRIVATE' });
  expect((await kiln.pai('POST', `/api/v1/images/${older}/restore`)).status).toBe(200);
  expect(await image(older)).toMatchObject({ Accessibility: before.Accessibility, StatusMessage: '' });
  expect((await kiln.pai('POST', `/api/v1/images/${older}/restore`)).body.Code).toBe('ImageNotRetiring');
  expect((await plan()).Images).toEqual([]);

  expect((await kiln.pai('PUT', `/api/v1/images/${old}/pin`, { body: { Pinned: true } })).status).toBe(200);
  await run('UPDATE images SET retire_at = now() WHERE pai_id = $1', [old]);
  await eventually(async () => ((await retiring()).length === 0 ? true : undefined), 'the pinned image');
  expect((await image(old)).Status).toBe('ACTIVE');
  expect((await eventsOf(old)).slice(-1)).toEqual(['image.restored']);
});

it('keeps bases of what is kept, and what was said to be used', async () => {
  const base = await build(`FROM ${kiln.base}\nRUN echo base > /base\n`, 'keep/base');
  const top = await build(`FROM ${base.uri}\nRUN echo top > /top\n`, 'other/top');
  const newer = await add('keep/base', 'v9', 20);
  const used = await add('keep/base', 'v8', 40);
  const unused = await add('keep/base', 'v7', 40);
  await age([base.id], 50);
  await put([rule()], { HideAfterDays: 100 });
  const listed = async () => (await plan()).Images.map((it: any) => it.ImageId) as string[];
  expect((await kiln.pai('POST', `/api/v1/images/${used}/uses`)).status).toBe(200);
  // The build that started from it was a use, too; that one is long ago.
  const { rows } = await run('SELECT used_at FROM images WHERE pai_id = $1', [base.id]);
  expect((rows[0] as { used_at: Date | null }).used_at).not.toBeNull();
  await run('UPDATE images SET used_at = NULL WHERE pai_id = $1', [base.id]);
  expect(await listed()).toEqual([unused]);
  await kiln.pai('DELETE', `/api/v1/images/${top.id}`);
  expect((await listed()).sort()).toEqual([unused, base.id].sort());
  expect(await listed()).not.toContain(newer);
});

it('refuses rules that say nothing, with the field', async () => {
  for (const [Rules, field] of [
    [[rule({ Repositories: [] })], 'Rules.0.Repositories'],
    [[rule({ Repositories: ['a['] })], 'Rules.0.Repositories.0'],
    [[rule({ KeepLast: 0 })], 'Rules.0.KeepLast'],
    [[{ ...rule(), KeepDays: undefined }], 'Rules.0.KeepDays'],
  ] as const) {
    const { status, body } = await kiln.pai('PUT', path, { body: { Rules } });
    expect([status, body.Message]).toEqual([400, expect.stringContaining(field) as string]);
  }
  expect((await kiln.pai('POST', `${path}/plans/plan-none/run`)).body.Code).toBe('PlanNotFound');
});
