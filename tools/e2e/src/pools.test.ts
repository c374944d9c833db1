import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({
    platform: { pools: { 'quota-1': {}, lingjun: { ResourceType: 'Lingjun' }, theirs: { accounts: ['another'] } } },
  });
  kiln.start('builder', {
    KILN_BUILDER_POOL: 'quota-1',
    KILN_BUILDER_DIR: join(kiln.stack.dir, `pool-${kiln.account.accountName}`),
  });
});
afterAll(() => kiln.stop());

const request = (Resource: Record<string, unknown>) =>
  kiln.buildRequest(`FROM ${kiln.base}\nRUN true\n`, { top: { Resource } });

it('builds where the request says, by builders of that pool alone', async () => {
  const common = await kiln.submit(request({}));
  const pooled = await kiln.submit(request({ ResourceId: 'quota-1' }));
  const [one, two] = await Promise.all([common, pooled].map((it) => kiln.ended(it.ImageBuildId)));
  expect([one.State, two.State]).toEqual(['succeeded', 'succeeded']);
  const { rows } = await kiln.database.db.$client.query<{ pool: string; name: string }>(
    `SELECT pool, name FROM workers WHERE app = 'builder'`,
  );
  const poolOfWorker = (build: { Attempts: { Worker: string }[] }) =>
    rows.find((it) => it.name === build.Attempts[0]?.Worker)?.pool;
  expect([poolOfWorker(one), poolOfWorker(two)]).toEqual(['', 'quota-1']);
});

it('says what a build waits for whose pool has no builder', async () => {
  const { ImageBuildId } = await kiln.submit(request({ ResourceId: 'lingjun', ResourceType: 'Lingjun' }));
  await eventually(async () => {
    const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${ImageBuildId}`);
    return JSON.stringify(body).includes('no builder of pool lingjun is connected') ? true : undefined;
  }, 'the reason');
  const ready = (await (await fetch(`${kiln.url}/readyz`)).json()) as { builds: object; queues: object };
  expect(ready).toMatchObject({
    builds: { queued: 1 },
    queues: { 'image-build.lingjun': expect.any(Object) as object },
  });
  expect((await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`)).status).toBe(200);
});

it.each([
  [
    { ResourceId: 'quota-2' },
    'Resource.ResourceId: there is no pool of builders "quota-2"; there are quota-1, lingjun',
  ],
  [{ ResourceId: 'theirs' }, 'Resource.ResourceId: there is no pool of builders "theirs"; there are quota-1, lingjun'],
  [{ ResourceId: 'constructor' }, 'Resource.ResourceId: there is no pool'],
  [{ ResourceId: 'quota-1', ResourceType: 'Lingjun' }, 'Resource.ResourceType: pool quota-1 is not of type Lingjun'],
])('refuses %j by its field', async (resource, message) => {
  const answer = await kiln.pai('POST', '/api/v1/imagebuilds', { body: request(resource) });
  expect([answer.status, answer.body.Code]).toEqual([400, 'InvalidParameter']);
  expect(answer.body.Message).toContain(message);
});
