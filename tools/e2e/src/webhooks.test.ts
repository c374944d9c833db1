import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { Webhook } from 'standardwebhooks';

import {
  openReceiver,
  openTestKiln,
  type Received,
  type Receiver,
  type Reply,
  type TestKiln,
} from '@kiln/stack/testing';

let kiln: TestKiln;
let receiver: Receiver;
let url: string;
/** What each path answers. */
const answers = new Map<string, (n: number) => Reply>();
beforeAll(async () => {
  receiver = await openReceiver(({ path }) => ({
    body: 'what is inside the network',
    ...(answers.get(path)?.(at(path).length) ?? { status: 204 }),
  }));
  url = `http://${receiver.host}`;
  kiln = await openTestKiln({ env: { KILN_WEBHOOK_OPEN_ADDRESSES: receiver.host } });
});
afterAll(async () => {
  await kiln.stop();
  receiver.close();
});
beforeEach(() => {
  receiver.received.length = 0;
});

const call = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) =>
  (await kiln.pai(method, `/api/v1/webhooks${path}`, body === undefined ? {} : { body })) as {
    status: number;
    body: any;
  };
async function add(path: string, change: object = {}): Promise<{ id: string; secret: string }> {
  const { status, body } = await call('POST', '', { Url: url + path, ...change });
  expect(status).toBe(200);
  return { id: body.WebhookId as string, secret: body.Secret as string };
}
const at = (path: string) => receiver.received.filter((it) => it.path === path);
const arrived = (path: string, n = 1) =>
  eventually(() => (at(path).length >= n ? at(path) : undefined), `${n} deliveries at ${path}`);
const deliveries = async (id: string) => (await call('GET', `/${id}/deliveries`)).body.Deliveries as any[];
const settled = (id: string, state: string) =>
  eventually(async () => (await deliveries(id)).find((it) => it.State === state), `a delivery that is ${state}`);
/** What a client's own library says of what came. */
const verify = (secret: string, { headers, body }: Received): any =>
  new Webhook(secret).verify(body, headers as Record<string, string>);

it('a build’s end is told, signed so that the standard’s own library takes it', async () => {
  const { id, secret } = await add('/ends', { Types: ['build.succeeded', 'image.*'] });
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
  const all = (await arrived('/ends', 2)).map((it) => verify(secret, it));
  expect(all.map((it) => it.type).sort()).toEqual(['build.succeeded', 'image.active']);
  const ended = all.find((it) => it.type === 'build.succeeded');
  expect(ended.data).toMatchObject({ ImageBuildId, State: 'succeeded', Digest: expect.stringMatching(/^sha256:/) });
  const [first] = at('/ends');
  expect(first?.headers['webhook-id']).toMatch(/^evt_[0-9a-f]{32}$/);
  expect(() => verify(`whsec_${Buffer.alloc(32).toString('base64')}`, first as Received)).toThrow();
  expect(() => verify(secret, { ...(first as Received), body: `${first?.body} ` })).toThrow();
  await settled(id, 'delivered');
  expect((await deliveries(id)).map((it) => it.Tries)).toEqual(
    [1, 2].map(() => [{ Time: expect.any(String), Milliseconds: expect.any(Number), Status: 204 }]),
  );
  // The secret is shown once; what is stored is sealed.
  expect(JSON.stringify((await call('GET', '')).body)).not.toContain('whsec_');
  const { rows } = await kiln.database.db.$client.query<{ it: string }>(`SELECT w::text AS it FROM webhooks w`);
  expect(JSON.stringify(rows)).not.toContain(secret.slice('whsec_'.length));
});

it('what fails is tried again, later each time, with the same id; what somebody asks for is sent again', async () => {
  answers.set('/shaky', (n) => ({ status: n === 1 ? 503 : 200, headers: { 'retry-after': '1' } }));
  const { id, secret } = await add('/shaky');
  await call('POST', `/${id}/test`);
  const waiting = await eventually(
    async () => (await deliveries(id)).find((it) => it.State === 'waiting' && it.Tries.length > 0),
    'a try that failed',
  );
  const pause = Date.parse(waiting.GmtNextTryTime as string) - Date.parse(waiting.Tries[0].Time as string);
  expect(pause).toBeGreaterThanOrEqual(5000);
  expect(pause).toBeLessThan(6500);
  expect((await call('GET', '')).body.Webhooks.find((it: any) => it.WebhookId === id)).toMatchObject({
    Waiting: 1,
    GmtFailingSinceTime: expect.any(String),
  });
  const done = await settled(id, 'delivered');
  expect(done.Tries.map((it: any) => it.Status)).toEqual([503, 200]);
  expect((await call('POST', `/${id}/deliveries/${done.DeliveryId}/redeliver`)).status).toBe(200);
  const all = await arrived('/shaky', 3);
  expect(new Set(all.map((it) => it.headers['webhook-id'])).size).toBe(1);
  expect(verify(secret, all[2] as Received)).toMatchObject({ type: 'webhook.test', data: { WebhookId: id } });
  const found = (await call('GET', '')).body.Webhooks.find((it: any) => it.WebhookId === id);
  expect(found.GmtFailingSinceTime).toBeUndefined();
  expect((await call('POST', `/${id}/deliveries/1000000/redeliver`)).status).toBe(404);
});

it('one that is gone for good is stopped, and says why; enabled again, it goes on', async () => {
  answers.set('/gone', (n) => ({ status: n === 1 ? 410 : 204 }));
  const { id } = await add('/gone');
  await call('POST', `/${id}/test`);
  const stopped = await eventually(async () => {
    const it = (await call('GET', '')).body.Webhooks.find((one: any) => one.WebhookId === id);
    return it.Enabled ? undefined : it;
  }, 'the stop of the webhook');
  expect(stopped.StoppedBecause).toContain('410');
  expect(await call('POST', `/${id}/test`)).toMatchObject({ status: 409, body: { Code: 'WebhookDisabled' } });
  expect((await call('PUT', `/${id}`, { Enabled: true })).status).toBe(200);
  await call('POST', `/${id}/test`);
  await arrived('/gone', 2);
});

it('a secret can be changed without a moment in which neither is good', async () => {
  const { id, secret } = await add('/rotated');
  const { body } = await call('POST', `/${id}/rotate-secret`);
  await call('POST', `/${id}/test`);
  const [first] = await arrived('/rotated');
  expect(first?.headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
  for (const it of [secret, body.Secret as string]) verify(it, first as Received);
  await kiln.database.db.$client.query(`UPDATE webhooks SET old_secret_until = now() WHERE id = $1`, [id]);
  await call('POST', `/${id}/test`);
  const [, later] = await arrived('/rotated', 2);
  verify(body.Secret as string, later as Received);
  expect(() => verify(secret, later as Received)).toThrow();
});

it('one that hangs does not hold up the others', async () => {
  answers.set('/hangs', () => ({ status: 204, afterMs: 60_000 }));
  const hangs = await add('/hangs');
  const works = await add('/works');
  for (let n = 0; n < 8; n += 1) await call('POST', `/${hangs.id}/test`);
  await arrived('/hangs', 4);
  await call('POST', `/${works.id}/test`);
  await arrived('/works');
  // Those four still hang, and no fifth one beside them.
  expect(at('/hangs').length).toBe(4);
  const [tried] = (await settled(hangs.id, 'waiting')).Tries;
  expect(tried ?? { Error: 'no answer within 10 s' }).toMatchObject({ Error: 'no answer within 10 s' });
  await call('DELETE', `/${hangs.id}`);
  expect((await call('GET', `/${hangs.id}/deliveries`)).status).toBe(404);
});

describe('where webhooks may go', () => {
  it.each([
    ['https://169.254.169.254/latest', 'AddressNotAllowed'],
    ['https://[::ffff:10.0.0.1]/', 'AddressNotAllowed'],
    ['https://2130706434/', 'AddressNotAllowed'],
    ['http://ci.example.com/', 'InvalidParameter'],
    ['https://user:pw@ci.example.com/', 'InvalidParameter'],
    ['ftp://ci.example.com/', 'InvalidParameter'],
    ['not an address', 'InvalidParameter'],
  ])('%s is refused when it is added', async (Url, Code) => {
    const { body } = await call('POST', '', { Url });
    expect(body).toMatchObject({ Code });
    expect(body.Message).toMatch(/Url|KILN_WEBHOOK_OPEN_ADDRESSES/);
  });

  it('redirects are not followed, and what an address answers is not kept', async () => {
    answers.set('/elsewhere', () => ({ status: 302, headers: { location: `${url}/inside` } }));
    const { id } = await add('/elsewhere');
    await call('POST', `/${id}/test`);
    const tried = await eventually(async () => (await deliveries(id)).find((it) => it.Tries.length > 0), 'a try');
    expect(tried.Tries[0].Status).toBe(302);
    expect(at('/inside')).toEqual([]);
    // What an address answers could be from inside the network.
    expect(JSON.stringify(tried)).not.toContain('what is inside');
  });
});

it('a registrar that dies after it has sent leaves the delivery to another one, which sends it with the same id', async () => {
  const crashes = join(kiln.stack.dir, 'webhook-crashes');
  mkdirSync(crashes, { recursive: true });
  await kiln.running('registrar').stop();
  await kiln.database.db.$client.query('DELETE FROM webhooks');
  kiln.start('registrar', { KILN_CRASH_DIR: crashes });
  writeFileSync(join(crashes, 'webhook-sent'), '');
  const { id } = await add('/twice');
  await call('POST', `/${id}/test`);
  await arrived('/twice');
  // Its sender is dead; not to wait until that is believed.
  await eventually(
    async () =>
      (
        await kiln.database.db.$client.query(
          `UPDATE webhook_deliveries SET next_at = now() WHERE webhook_id = $1 AND tries = 1 RETURNING id`,
          [id],
        )
      ).rowCount === 1 || undefined,
    'the delivery that was taken',
  );
  kiln.start('registrar');
  const all = await arrived('/twice', 2);
  expect(new Set(all.map((it) => it.headers['webhook-id'])).size).toBe(1);
  const done = await settled(id, 'delivered');
  expect(done.Tries.length).toBe(1);
});
