import { eventually } from '@kiln/kit/testing';
import { openRegistryFront, openTestKiln, type RegistryFront, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let front: RegistryFront;
beforeAll(async () => {
  kiln = await openTestKiln({ env: { KILN_OUTPUT_CLOCK_S: '6', KILN_BUILDER_SLOTS: '2' } });
  front = await openRegistryFront(Number(kiln.stack.registryHost.split(':')[1]));
  await kiln.trustPlainHttp(front.host);
});
afterAll(async () => {
  await kiln.stop();
  await front.close();
});

const path = (id: string) => `/api/v1/imagebuilds/${id}`;
const look = async (id: string) => (await kiln.pai('GET', path(id))).body;
const repeat = (id: string, how: 'retry' | 'rerun', body?: unknown, token?: string) =>
  kiln.pai('POST', `${path(id)}/${how}`, {
    ...(body === undefined ? {} : { body }),
    ...(token === undefined ? {} : { query: { ClientToken: token } }),
  });
const admin = (...args: string[]) => kiln.admin(args);

it('ends a step that prints nothing for too long, and retries it with the same inputs', async () => {
  const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN sleep 60\n`);
  const { ImageBuildId } = await kiln.submit(body);
  expect(await repeat(ImageBuildId, 'retry')).toMatchObject({ status: 409, body: { Code: 'BuildNotFinished' } });
  const ended = await kiln.ended(ImageBuildId);
  expect(ended).toMatchObject({ State: 'timed_out', Error: { Code: 'OutputTimeout' } });
  expect(ended.Error.Message).toContain('output clock');

  const first = await repeat(ImageBuildId, 'retry', undefined, 'once-more');
  expect(first.status).toBe(200);
  const again = await repeat(ImageBuildId, 'retry', undefined, 'once-more');
  expect(again.body.ImageBuildId).toBe(first.body.ImageBuildId);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  const retried = await look(first.body.ImageBuildId);
  expect(retried).toMatchObject({
    Repeats: { ImageBuildId, Lineage: 'retry' },
    Request: { Image: { Name: body.Image.Name } },
  });
  expect((await look(ImageBuildId)).RepeatedBy).toMatchObject([
    { ImageBuildId: first.body.ImageBuildId, Lineage: 'retry' },
  ]);
  await kiln.pai('POST', `${path(first.body.ImageBuildId)}/cancel`);
});

it('does not retry what failed by its own doing, but reruns it, with what is changed', async () => {
  const { ImageBuildId: failed } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN exit 3\n`));
  await kiln.ended(failed);
  expect(await repeat(failed, 'retry')).toMatchObject({ status: 409, body: { Code: 'BuildNotRetryable' } });
  const rerun = await repeat(failed, 'rerun', {});
  expect(await kiln.ended(rerun.body.ImageBuildId)).toMatchObject({
    State: 'failed',
    Error: { Code: 'StepFailed' },
    Repeats: { ImageBuildId: failed, Lineage: 'rerun' },
  });

  const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo well\n`);
  const { ImageBuildId: good } = await kiln.submit(body);
  await kiln.ended(good);
  expect(await repeat(good, 'rerun', {})).toMatchObject({ status: 409, body: { Code: 'ImageNameDuplicated' } });
  const changed = { Image: { Name: `${body.Image.Name}-2`, Uri: body.Image.Uri.replace(':v1', ':v2') } };
  const second = await repeat(good, 'rerun', changed);
  expect(await kiln.ended(second.body.ImageBuildId)).toMatchObject({ State: 'succeeded', ImageUri: changed.Image.Uri });
});

it('publishes again without building again when only the push failed', async () => {
  const uri = `${front.host}/e2e/kept-${Date.now()}:v1`;
  const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo built-here\n`, { image: { Uri: uri } });
  Object.assign(body, { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: `http-${front.host}` } });
  // Denied, as with a password that has run out.
  front.set({ kind: 'status', status: 403 }, (method, asked) => method !== 'GET' && asked.includes('kept-'));
  const { ImageBuildId } = await kiln.submit({ ...body, OverwriteImageTag: true });
  expect(await kiln.ended(ImageBuildId)).toMatchObject({
    State: 'failed',
    Error: { Code: 'PushDenied', Phase: 'push' },
  });
  front.set({ kind: 'well' });

  // The builder may have been started again meanwhile.
  const builder = kiln.running('builder');
  await builder.stop();
  await kiln.start('builder').logged('"ready"');
  const retried = await repeat(ImageBuildId, 'retry');
  const ended = await kiln.ended(retried.body.ImageBuildId);
  expect(ended).toMatchObject({ State: 'succeeded' });
  const log = await kiln.logs(retried.body.ImageBuildId);
  expect(log).toContain('#2 CACHED');
  expect(log).not.toMatch(/^built-here$/m);
});

it('tells a waiting build its place, why it waits, and when it is likely to start; DLC says so, too', async () => {
  const slow = () => kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; sleep 2; echo on; sleep 1\n`));
  const running = await Promise.all([slow(), slow()]);
  await Promise.all(
    running.map((it) =>
      eventually(
        async () => ((await look(it.ImageBuildId)).State === 'running' ? true : undefined),
        'the slots to be busy',
      ),
    ),
  );
  const waiting = [await slow(), await slow(), await slow()];
  // What is told may be half a second old.
  await new Promise((resolve) => setTimeout(resolve, 600));
  const told = await Promise.all(waiting.map((it) => look(it.ImageBuildId)));
  expect(told.map((it) => it.Waiting)).toMatchObject(
    [0, 1, 2].map((Ahead) => ({ Reason: 'SlotsBusy', Position: Ahead + 1, Ahead })),
  );
  const job = (await kiln.pai('GET', `/api/v1/jobs/${waiting[2]?.ImageBuildJobId ?? ''}`)).body;
  expect(job).toMatchObject({ Status: 'Queuing', ReasonCode: 'SlotsBusy' });
  expect(job.ReasonMessage).toContain('2 builds go before it');
  const ended = await Promise.all(waiting.map((it) => kiln.ended(it.ImageBuildId)));
  for (const [n, it] of ended.entries()) {
    const { EarliestStart, LatestStart } = told[n].Waiting;
    if (EarliestStart === undefined) continue;
    expect(Date.parse(it.GmtStartTime)).toBeGreaterThanOrEqual(Date.parse(EarliestStart) - 500);
    expect(Date.parse(LatestStart)).toBeGreaterThan(Date.parse(EarliestStart));
  }
});

it('refuses more waiting builds than the account may have, but answers a repeated token', async () => {
  await admin('limits', kiln.account.accountName, '--running', '1', '--waiting', '2', '--weight', '3');
  const body = () => kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; sleep 1\n`);
  const [first, ...rest] = [body(), body(), body(), body(), body(), body()];
  const accepted = await kiln.submit(first ?? body(), 'kept-token');
  const answers = [];
  for (const it of rest) answers.push(await kiln.pai('POST', '/api/v1/imagebuilds', { body: it }));
  const refused = answers.filter((it) => it.status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]).toMatchObject({ status: 429, body: { Code: 'QuotaExceeded' } });
  expect(refused[0]?.headers.get('retry-after')).toBe('5');
  expect((await kiln.submit(first ?? body(), 'kept-token')).ImageBuildId).toBe(accepted.ImageBuildId);
  for (const it of answers.filter(({ status }) => status === 200)) {
    await kiln.ended(it.body.ImageBuildId);
  }
  const { rows } = await kiln.database.db.$client.query(`
    SELECT max(n)::int AS most FROM (SELECT count(*) AS n FROM build_attempts a JOIN build_attempts b
      ON b.started_at <= a.started_at AND b.ended_at > a.started_at
      WHERE a.build_id = ANY($1) AND b.build_id = ANY($1) GROUP BY a.build_id) it`, [answers.flatMap((it) => it.body.ImageBuildId ?? [])]); // prettier-ignore
  expect(rows).toEqual([{ most: 1 }]);
  await admin('limits', kiln.account.accountName, '--running', '0', '--waiting', '0');
});

it('refuses more builds in a day, and more images, than the account may have, and says how many those are', async () => {
  const owner = kiln.account.accountName;
  const submit = () => kiln.pai('POST', '/api/v1/imagebuilds', { body: kiln.buildRequest(`FROM ${kiln.base}\n`) });
  const add = () =>
    kiln.pai('POST', '/api/v1/images', {
      body: { Name: `quota-${Date.now()}`, ImageUri: kiln.base, Accessibility: 'PRIVATE' },
    });
  const counted = () => new Promise((resolve) => setTimeout(resolve, 1100)); // remembered for a second
  await admin('limits', owner, '--daily', '1');
  await counted();
  const refused = await submit();
  expect([refused.status, refused.body.Code]).toEqual([429, 'QuotaExceeded']);
  expect(refused.body.Message).toMatch(/were accepted within 24 hours, and its limit is 1/);
  await admin('limits', owner, '--daily', '0', '--images', '1');
  await counted();
  for (const answer of [await submit(), await add()]) {
    expect([answer.status, answer.body.Code]).toEqual([403, 'QuotaExceeded']);
    expect(answer.body.Message).toMatch(/the account has \d+ images.*, and its limit is 1/);
  }
  await admin('limits', owner, '--images', '0');
  await counted();
  const { status, body } = await submit();
  expect(status).toBe(200);
  expect((await kiln.ended(body.ImageBuildId)).State).toBe('succeeded');
});

it('puts a build away that took two workers with it, and lets an operator run it again', async () => {
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; sleep 1\n`));
  for (let worker = 1; worker <= 2; worker += 1) {
    await eventually(async () => {
      const it = await look(ImageBuildId);
      return it.State === 'running' && it.Attempt === worker ? true : undefined;
    }, `attempt ${worker}`);
    const builder = kiln.running('builder');
    builder.signal('SIGKILL');
    await builder.ended;
    kiln.start('builder');
  }
  expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'failed', Error: { Code: 'BuildQuarantined' } });
  expect(await repeat(ImageBuildId, 'retry')).toMatchObject({ status: 409, body: { Code: 'BuildNotRetryable' } });
  expect(await admin('quarantine', 'list')).toMatchObject([{ id: ImageBuildId, account: kiln.account.accountName }]);
  const { as } = await admin('quarantine', 'redrive', ImageBuildId);
  expect(await kiln.ended(as)).toMatchObject({ State: 'succeeded', Repeats: { ImageBuildId, Lineage: 'retry' } });
  expect(await admin('quarantine', 'list')).toEqual([]);
  const workers = await admin('workers');
  expect(
    workers
      .filter((it: { alive: boolean }) => it.alive)
      .map((it: { app: string }) => it.app)
      .sort(),
  ).toEqual(['builder', 'registrar']);
});
