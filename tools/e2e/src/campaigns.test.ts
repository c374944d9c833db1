import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
  const off = { body: { Mode: 'off', Attest: 'off' } };
  await kiln.pai('PUT', `/api/v1/workspaces/${kiln.account.workspaceId}/policy`, off);
});
afterAll(() => kiln.stop());

const build = async (dockerfile: string, uri?: string) => {
  const request = kiln.buildRequest(dockerfile);
  const Image = uri === undefined ? request.Image : { ...request.Image, Uri: uri };
  const made = { ...request, Image, OverwriteImageTag: uri !== undefined };
  const ended = await kiln.ended((await kiln.submit(made)).ImageBuildId);
  expect(ended.State).toBe('succeeded');
  return {
    id: ended.ImageId as string,
    uri: made.Image.Uri,
    name: made.Image.Name,
    build: ended.ImageBuildId as string,
  };
};
const plan = async (body: object) => {
  const request = { WorkspaceId: kiln.account.workspaceId, RatePerHour: 100_000, ...body };
  const answer = await kiln.pai('POST', '/api/v1/campaigns', { body: request });
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 201, body: { State: 'planned' } });
  return answer.body;
};
const move = (id: string, State: string) => kiln.pai('PUT', `/api/v1/campaigns/${id}/state`, { body: { State } });
const get = async (id: string) => (await kiln.pai('GET', `/api/v1/campaigns/${id}`)).body;
const until = (id: string, ...states: string[]) =>
  eventually(
    async () => {
      const found = await get(id);
      return states.includes(found.State as string) ? found : undefined;
    },
    `${id} being ${states.join(' or ')}`,
    60_000,
  );

it('builds a base and what stands on it anew, in that order, in the bulk lane, under the same tags', async () => {
  const base = await build(`FROM ${kiln.base}\nRUN date +%N > /one\n`);
  const middle = await build(`FROM ${base.uri}\nRUN date +%N > /two\n`);
  const top = await build(`FROM ${middle.uri}\nRUN date +%N > /three\n`);
  const made = await plan({ Title: 'all of it', ImageIds: [top.id, base.id, middle.id] });
  expect(made.Images.map((it: any) => [it.ImageId, it.ImageUri, it.Outcome])).toEqual(
    [base, middle, top].map((it) => [it.id, it.uri, 'waiting']),
  );
  expect((await plan({ MadeFrom: base.id })).Images.map((it: any) => it.ImageId)).toEqual([middle.id, top.id]);
  expect((await get(made.CampaignId)).Counts).toMatchObject({ Waiting: 3, Building: 0 });

  expect((await move(made.CampaignId, 'running')).body).toMatchObject({ State: 'running' });
  const done = await until(made.CampaignId, 'done', 'stopped');
  expect(done).toMatchObject({ State: 'done', Counts: { Succeeded: 3 }, GmtEndTime: expect.any(String) as string });
  const rebuilt = await Promise.all(
    done.Images.map(async (it: any) => (await kiln.pai('GET', `/api/v1/imagebuilds/${it.ImageBuildId}`)).body),
  );
  for (const [n, it] of rebuilt.entries()) {
    const before = [base, middle, top][n];
    expect(it).toMatchObject({
      State: 'succeeded',
      Lane: 'bulk',
      Repeats: { ImageBuildId: before?.build, Lineage: 'rerun' },
    });
    expect((await kiln.pai('GET', `/api/v1/images/${it.ImageId}`)).body).toMatchObject({
      ImageUri: before?.uri,
      Name: `${before?.name}-c${made.CampaignId.slice(-6)}-${n + 1}`,
    });
  }
  const bases = (await kiln.pai('GET', `/api/v1/images/${rebuilt[2].ImageId}/bases`)).body;
  expect(bases.Bases.map((it: any) => it.Entry?.ImageId)).toEqual([rebuilt[1].ImageId, rebuilt[0].ImageId, undefined]);
  expect((await move(made.CampaignId, 'running')).body.Code).toBe('CampaignNotMovable');
  // Of each tag, the last image is built anew, and never twice.
  const again = (await plan({ Repositories: ['e2e/**'] })).Images.map((it: any) => it.ImageId);
  expect(again).toEqual(expect.arrayContaining(rebuilt.map((it) => it.ImageId)));
  for (const it of [base, middle, top]) expect(again).not.toContain(it.id);
});

it('stops when one of the first fails, and goes on when somebody says so', async () => {
  const both = [await build(`FROM ${kiln.base}\nRUN true\n`), await build(`FROM ${kiln.base}\nRUN echo > /good\n`)];
  const ImageIds = both.map((it) => it.id);
  const { CampaignId, Images } = await plan({ ImageIds, CanaryPercent: 50, StopPercent: 60 });
  await kiln.database.db.$client.query(
    `UPDATE builds SET request = jsonb_set(request, '{dockerfile}', to_jsonb($2::text)) WHERE id = $1`,
    [both.find((it) => it.id === Images[0].ImageId)?.build, `FROM ${kiln.base}\nRUN false\n`],
  );
  await move(CampaignId, 'running');
  const stopped = await until(CampaignId, 'stopped', 'done');
  expect(stopped).toMatchObject({
    State: 'stopped',
    Reason: '1 of the first 1 failed',
    Counts: { Waiting: 1, Failed: 1 },
    Images: [{ Outcome: 'failed', Message: expect.stringContaining('false') as string }, { Outcome: 'waiting' }],
  });
  await move(CampaignId, 'running');
  expect((await until(CampaignId, 'done')).Counts).toMatchObject({ Succeeded: 1, Failed: 1 });
  const { body } = await kiln.pai('GET', '/api/v1/events', { query: { After: 'start', Types: 'campaign.*' } });
  const told = body.Events.filter((it: any) => it.data.CampaignId === CampaignId);
  expect(told.map((it: any) => it.type)).toEqual(
    ['planned', 'running', 'stopped', 'running', 'done'].map((it) => `campaign.${it}`),
  );
  expect(told[0].data).toMatchObject({ State: 'planned', Counts: { Waiting: 2 } });
  expect(told[2].data).toMatchObject({ State: 'stopped', Counts: { Failed: 1 }, Reason: expect.stringMatching(/./) });
});

it('keeps to its rate, can be paused, and cancelled', async () => {
  const images = await Promise.all([1, 2, 3].map((n) => build(`FROM ${kiln.base}\nRUN echo ${n} > /n\n`)));
  const { CampaignId } = await plan({ ImageIds: images.map((it) => it.id), RatePerHour: 1, CanaryPercent: 100 });
  await move(CampaignId, 'running');
  await eventually(async () => ((await get(CampaignId)).Counts.Succeeded === 1 ? true : undefined), 'the first build');
  expect((await move(CampaignId, 'paused')).body).toMatchObject({ State: 'paused', Counts: { Waiting: 2 } });
  expect((await move(CampaignId, 'paused')).status).toBe(200);
  await kiln.database.db.$client.query('UPDATE campaigns SET submit_at = now() WHERE id = $1', [CampaignId]);
  await move(CampaignId, 'running');
  await eventually(async () => ((await get(CampaignId)).Counts.Succeeded === 2 ? true : undefined), 'the second build');
  expect((await get(CampaignId)).Counts).toMatchObject({ Waiting: 1 });
  expect((await move(CampaignId, 'cancelled')).body).toMatchObject({ State: 'cancelled', Counts: { Skipped: 1 } });
  const listed = (await kiln.pai('GET', '/api/v1/campaigns')).body.Campaigns.map((it: any) => it.CampaignId);
  expect(listed[0]).toBe(CampaignId);
});

it('leaves out what has changed since it was planned: an image that is gone, a tag that a later build has', async () => {
  const [gone, late, kept] = await Promise.all([1, 2, 3].map((n) => build(`FROM ${kiln.base}\nRUN echo ${n} > /n\n`)));
  const { CampaignId } = await plan({ ImageIds: [gone?.id, late?.id, kept?.id] });
  await kiln.pai('DELETE', `/api/v1/images/${gone?.id}`);
  const later = await build(`FROM ${kiln.base}\nRUN echo later > /n\n`, late?.uri);
  await move(CampaignId, 'running');
  const done = await until(CampaignId, 'done', 'stopped');
  const of = (id: string | undefined) => done.Images.find((it: any) => it.ImageId === id);
  expect(of(gone?.id)).toMatchObject({ Outcome: 'skipped', Message: 'the image is not there any more' });
  expect(of(late?.id)).toMatchObject({ Outcome: 'skipped', Message: 'a later build has its tag' });
  expect(of(kept?.id)).toMatchObject({ Outcome: 'succeeded' });
  expect((await kiln.pai('GET', `/api/v1/images/${later.id}`)).body.Status).toBe('ACTIVE');
});

it('wants to be told which images', async () => {
  const { status, body } = await kiln.pai('POST', '/api/v1/campaigns', {
    body: { WorkspaceId: kiln.account.workspaceId },
  });
  expect([status, body.Message]).toEqual([400, expect.stringContaining('say which images') as string]);
});
