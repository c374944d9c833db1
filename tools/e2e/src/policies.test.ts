import { randomUUID } from 'node:crypto';
import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

const path = () => `/api/v1/workspaces/${kiln.account.workspaceId}/policy`;
const put = async (Mode: string, Profiles: string[] = []) => {
  const { status, body } = await kiln.pai('PUT', path(), { body: { Mode, Profiles } });
  expect({ status, body }).toMatchObject({ status: 200, body: { Mode, Profiles } });
};
const forEas = { Labels: [{ Key: 'system.supported.eas', Value: 'true' }] };
const request = (dockerfile: string, labels = forEas.Labels) => {
  const made = kiln.buildRequest(dockerfile);
  return { ...made, Image: { ...made.Image, Labels: labels } };
};
/** EAS has port 8080 for itself, and 8000 is free. */
const broken = () => `FROM ${kiln.base}\nEXPOSE 8080\nCMD ["sh"]\n`;
const clean = () => `FROM ${kiln.base}\nEXPOSE 8000\nCMD ["sh"]\n`;
const build = async (dockerfile: string, labels?: typeof forEas.Labels) => {
  const { ImageBuildId } = await kiln.submit(request(dockerfile, labels));
  return kiln.ended(ImageBuildId);
};
const image = async (id: string) => (await kiln.pai('GET', `/api/v1/images/${id}`)).body;
const eventsOf = async (type: string) =>
  (await kiln.pai('GET', '/api/v1/events', { query: { After: 'start', Types: type, Limit: '500' } })).body
    .Events as any[];
const checkOf = (imageId: string) =>
  eventually(
    async () => (await eventsOf('image.checked')).find((it) => it.data.ImageId === imageId)?.data.Check,
    'a check',
  );

it('tells by an event how an image did, unless the policy is off', async () => {
  expect((await kiln.pai('GET', path())).body).toMatchObject({ Mode: 'note', Profiles: [], WaitSeconds: 300 });
  const noted = await build(broken());
  expect(noted.State).toBe('succeeded');
  expect(await checkOf(noted.ImageId)).toMatchObject({
    Mode: 'note',
    Verdict: 'fail',
    Profiles: [{ Profile: 'pai-eas', Verdict: 'fail' }],
    Broken: [
      { Profile: 'pai-eas', Rule: 'P1', Severity: 'error', Found: expect.stringContaining('8080') as string },
      {},
    ],
  });
  expect(await image(noted.ImageId)).toMatchObject({ Status: 'ACTIVE' });
  const shown = (await kiln.pai('GET', `/api/v1/images/${noted.ImageId}/facts`)).body;
  expect(shown.Check).toMatchObject({ Verdict: 'fail' });
  // Nobody has said what this one is for.
  const plain = await build(broken(), []);
  await put('off');
  const off = await build(broken());
  await eventually(async () => {
    if ((await kiln.pai('GET', `/api/v1/images/${off.ImageId}/facts`)).body.State !== 'done') return undefined;
    const due = 'SELECT FROM images WHERE pai_id = $1 AND policy_due';
    return (await kiln.database.db.$client.query(due, [off.ImageId])).rowCount === 0 ? true : undefined;
  }, 'the end of the check');
  await put('note');
  const last = await build(clean());
  expect(await checkOf(last.ImageId)).toMatchObject({ Verdict: 'warn' });
  const told = (await eventsOf('image.checked')).map((it) => it.data.ImageId);
  expect(told).not.toContain(plain.ImageId);
  expect(told).not.toContain(off.ImageId);
});

it('warns in the status message of the image', async () => {
  await put('warn');
  const { ImageId } = await build(broken());
  const message = await eventually(
    async () => ((await image(ImageId)).StatusMessage as string) || undefined,
    'a message',
  );
  expect(message).toMatch(/^fails pai-eas: P1 it exposes 8080.*; P4 /);
  expect((await image(ImageId)).Status).toBe('ACTIVE');
});

it('refuses a build before its tag is moved', async () => {
  await put('refuse');
  const made = request(broken());
  const first = await kiln.ended((await kiln.submit({ ...made, ...forEas })).ImageBuildId);
  expect(first).toMatchObject({
    State: 'failed',
    Error: {
      Code: 'PolicyRefused',
      Class: 'policy',
      Message: expect.stringMatching(/refuses the image, which fails pai-eas: P1 it exposes 8080/) as string,
    },
  });
  const [, repository = '', tag = ''] = /^[^/]+\/(.*):(.*)$/.exec(made.Image.Uri) ?? [];
  const manifest = `http://${kiln.stack.registryHost}/v2/${repository}/manifests/${tag}`;
  expect((await fetch(manifest, { method: 'HEAD' })).status).toBe(404);
  const passed = await build(clean());
  expect(passed.State).toBe('succeeded');
  // One that is meant for nothing is not held up.
  expect((await build(broken(), [])).State).toBe('succeeded');
});

it('refuses an image that is registered: it shows ERROR with the reason, and what is in it', async () => {
  await put('refuse');
  const made = kiln.buildRequest(broken());
  const { Digest } = await kiln.ended((await kiln.submit(made)).ImageBuildId);
  const added = await kiln.pai('POST', '/api/v1/images', {
    body: {
      Name: `refused-${randomUUID().slice(0, 8)}`,
      ImageUri: made.Image.Uri,
      WorkspaceId: kiln.account.workspaceId,
      ...forEas,
    },
  });
  expect(added.status).toBe(200);
  const id = added.body.ImageId as string;
  const refused = await eventually(async () => {
    const found = await image(id);
    return found.Status === 'ERROR' ? found : undefined;
  }, 'ERROR');
  expect(refused.StatusMessage).toMatch(/fails pai-eas: P1/);
  expect((await kiln.pai('GET', `/api/v1/images/${id}/facts`)).body).toMatchObject({ State: 'done', Digest });
});

it('holds all images against the profiles that it names, and tries that out before', async () => {
  await put('note');
  const body = { Mode: 'refuse', Profiles: ['pai-eas'] };
  const tried = await kiln.pai('POST', `${path()}/dryrun`, { body });
  expect(tried.status).toBe(200);
  expect(tried.body.Failed).toBeGreaterThan(2);
  expect(tried.body.Images[0]).toMatchObject({ Verdict: 'fail', Broken: [{ Rule: 'P1' }, {}] });
  expect((await kiln.pai('GET', path())).body).toMatchObject({ Mode: 'note' });
  expect(await kiln.pai('PUT', path(), { body: { Mode: 'warn', Profiles: ['nobody'] } })).toMatchObject({
    status: 404,
    body: { Code: 'ProfileNotFound', Message: expect.stringContaining('Profiles') as string },
  });
  expect((await kiln.pai('PUT', path(), { body: { Mode: 'maybe' } })).status).toBe(400);
});

it('takes the profiles of an image from its label', async () => {
  await put('note');
  const { ImageId } = await build(clean(), [{ Key: 'kiln.profiles', Value: 'modelarts-inference-batch, pai-dsw' }]);
  const check = await checkOf(ImageId);
  expect(check.Profiles.map((it: any) => it.Profile)).toEqual(['modelarts-inference-batch', 'pai-dsw']);
});
