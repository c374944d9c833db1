import { createHash, createHmac, randomUUID } from 'node:crypto';
import { newAccessKey, newTemporaryKey, openSealer, signSdkHmac } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { eventually } from '@kiln/kit/testing';
import { insertAccessKey, revoke } from '@kiln/persistence';
import { modelArtsImageOperations, paiImageOperations } from '@kiln/contract';
import { provisionAccount } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import { type CloudKey, huaweiCore, openapiClient, openapiCore, popCore } from './conformance/cloud-clients.ts';
import { fail, succeed } from './conformance/context.ts';

let kiln: TestKiln;
let strict: string;
let key: CloudKey;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [], env: { KILN_LEGACY_SIGNATURES: 'true' } });
  strict = await kiln.startApi({ KILN_LEGACY_SIGNATURES: 'false', KILN_REQUESTS_PER_SECOND: '3' });
  const { accessKeyId, accessKeySecret, projectId } = kiln.account;
  key = { accessKeyId, accessKeySecret, projectId };
});
afterAll(() => kiln.stop());

const list = paiImageOperations.ListImages;
const images = modelArtsImageOperations.ListImage;

async function temporaryKey(expiresAt: Date): Promise<CloudKey> {
  const made = newTemporaryKey();
  const { accountId, userId, projectId } = kiln.account;
  await insertAccessKey(kiln.database.db, {
    id: made.id,
    accountId,
    userId,
    secretSealed: openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(made.secret, `access-key:${made.id}`),
    securityTokenHash: made.securityTokenHash,
    expiresAt,
  });
  return {
    accessKeyId: made.id,
    accessKeySecret: made.secret.reveal(),
    securityToken: made.securityToken.reveal(),
    projectId,
  };
}

describe('temporary keys', () => {
  it.each([
    ['openapi-core', openapiCore, list],
    ['openapi-client', openapiClient, list],
    ['huaweicloud-sdk-core', huaweiCore, images],
  ] as const)('sign through %s, with their security token only, until they expire', async (_, open, operation) => {
    const alive = await temporaryKey(new Date(Date.now() + 60_000));
    await succeed(open(kiln.url, alive), operation);
    const refused = { status: open === huaweiCore ? 401 : 400 };
    const code = open === huaweiCore ? 'APIG.0301' : 'InvalidSecurityToken.Malformed';
    expect(await fail(open(kiln.url, { ...alive, securityToken: 'wrong' }), operation)).toMatchObject({
      ...refused,
      code,
    });
    const { securityToken: _token, ...bare } = alive;
    expect(await fail(open(kiln.url, bare), operation)).toMatchObject({ ...refused, code });
    expect(await fail(open(kiln.url, { ...key, securityToken: 'any' }), operation)).toMatchObject({ ...refused, code });
    const dead = await temporaryKey(new Date(Date.now() - 1000));
    expect(await fail(open(kiln.url, dead), operation)).toMatchObject({
      code: open === huaweiCore ? 'APIG.0301' : 'InvalidSecurityToken.Expired',
    });
  });
});

describe('tokens', () => {
  const bearer = (token: string): CloudKey => ({ bearerToken: token, projectId: '' }) as unknown as CloudKey;

  it('come as x-acs-bearer-token from the clients that know them', async () => {
    for (const open of [openapiCore, openapiClient]) {
      await succeed(open(kiln.url, bearer(kiln.account.token)), list);
      expect(await fail(open(kiln.url, bearer('wrong')), list)).toMatchObject({
        status: 401,
        code: 'InvalidBearerToken',
      });
    }
  });

  const post = async (body: unknown) => {
    const answer = await fetch(`${kiln.url}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.status, token: answer.headers.get('x-subject-token'), body: (await answer.json()) as any };
  };
  const identity = (secret: string, accessKeyId = key.accessKeyId) => ({
    methods: ['hw_ak_sk'],
    hw_ak_sk: { access: { key: accessKeyId }, secret: { key: secret } },
  });
  const get = async (projectId: string, token: string) => {
    const answer = await fetch(`${kiln.url}/v1/${projectId}/images`, { headers: { 'x-auth-token': token } });
    return { status: answer.status, body: (await answer.json()) as any };
  };

  it('are issued as IAM issues them, for 24 hours', async () => {
    const domain = { name: kiln.account.accountName };
    const byKey = await post({ auth: { identity: identity(key.accessKeySecret) } });
    expect(byKey).toMatchObject({
      status: 201,
      body: { token: { methods: ['hw_ak_sk'], user: { name: 'admin', domain } } },
    });
    const { issued_at, expires_at } = byKey.body.token;
    expect(Date.parse(expires_at) - Date.parse(issued_at)).toBe(24 * 3600 * 1000);
    expect(await get(key.projectId, byKey.token ?? '')).toMatchObject({ status: 200, body: { total: 0 } });

    const user = { name: key.accessKeyId, password: key.accessKeySecret, domain };
    const byPassword = await post({ auth: { identity: { methods: ['password'], password: { user } }, scope: { project: { name: 'default' } } } }); // prettier-ignore
    expect(byPassword).toMatchObject({
      status: 201,
      body: { token: { methods: ['password'], project: { id: key.projectId } } },
    });
    expect(await get(key.projectId, byPassword.token ?? '')).toMatchObject({ status: 200 });
  });

  it('are good for the project that they were asked for, and no other', async () => {
    const other = await kiln.addProject('second');
    const scoped = await post({ auth: { identity: identity(key.accessKeySecret), scope: { project: { id: other } } } });
    expect(await get(other, scoped.token ?? '')).toMatchObject({ status: 200 });
    expect(await get(key.projectId, scoped.token ?? '')).toMatchObject({
      status: 403,
      body: { error_code: 'ModelArts.0210' },
    });
    expect(await post({ auth: { identity: identity(key.accessKeySecret), scope: { project: { id: 'no' } } } })).toMatchObject({ status: 403 }); // prettier-ignore
  });

  it('of one project do not open PAI, which knows none', async () => {
    const scoped = await post({
      auth: { identity: identity(key.accessKeySecret), scope: { project: { id: key.projectId } } },
    });
    const answer = await fetch(`${kiln.url}/api/v1/images`, {
      headers: { authorization: `Bearer ${scoped.token ?? ''}` },
    });
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({
      status: 403,
      body: { Code: 'Forbidden.RAM' },
    });
  });

  it('end with the key that they were given for', async () => {
    const { db } = kiln.database;
    const { id, secret } = newAccessKey();
    const { accountId, userId, projectId } = kiln.account;
    const secretSealed = openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(secret, `access-key:${id}`);
    await insertAccessKey(db, { id, accountId, userId, secretSealed });
    const { token } = await post({ auth: { identity: identity(secret.reveal(), id) } });
    expect(await get(projectId, token ?? '')).toMatchObject({ status: 200 });
    await revoke(db, 'key', id);
    await eventually(
      async () => ((await get(projectId, token ?? '')).status === 401 ? true : undefined),
      'the token to stop working',
      15_000,
    );
    expect(await post({ auth: { identity: identity(secret.reveal(), id) } })).toMatchObject({ status: 401 });
  });

  it('are refused with one answer, whatever was wrong', async () => {
    const stranger = await provisionAccount(kiln.database.db, kiln.env.KILN_SEALING_KEY, 'stranger', 'x');
    const user = (change: object) => ({ methods: ['password'], password: { user: { name: key.accessKeyId, password: key.accessKeySecret, ...change } } }); // prettier-ignore
    const answers = await Promise.all(
      [
        identity('wrong'),
        identity(key.accessKeySecret, 'nobody'),
        user({ password: 'wrong' }),
        user({ domain: { name: stranger.accountName } }),
        identity((await temporaryKey(new Date(Date.now() + 60_000))).accessKeySecret),
      ].map((it) => post({ auth: { identity: it } })),
    );
    for (const { status, body } of answers)
      expect({ status, code: body.error_code, message: body.error_msg }).toEqual({
        status: 401,
        code: 'IAM.0101',
        message: 'the access key, its secret or the domain is wrong',
      });
    expect(await post({ auth: { identity: { methods: ['totp'] } } })).toMatchObject({ status: 400, body: { error_code: 'ModelArts.0104' } }); // prettier-ignore
    expect(await post({})).toMatchObject({ status: 400, body: { error_msg: 'auth: is required' } });
  });
});

describe('the old HMAC-SHA1', () => {
  it('works through the clients that still sign so, where it is switched on', async () => {
    const clients = [popCore(kiln.url, key), openapiCore(kiln.url, key, true), openapiClient(kiln.url, key, true)];
    for (const it of clients) await succeed(it, list, { query: { Name: 'ü b', Order: 'DESC', Query: '' } });
    const wrong = { ...key, accessKeySecret: 'wrong' };
    expect(await fail(popCore(kiln.url, wrong), list)).toMatchObject({ status: 400 });
  });

  it('takes a body with Content-MD5, which it is held to, and without, as the vendor does', async () => {
    const body = { Name: 'No', ImageUri: `${kiln.stack.registryHost}/none/such:v1` };
    const add = paiImageOperations.AddImage;
    // openapi-core and openapi-client send none in this mode, pop-core does: all get as far as the body.
    for (const client of [openapiCore(kiln.url, key, true), openapiClient(kiln.url, key, true), popCore(kiln.url, key)])
      expect(await fail(client, add, { body })).toMatchObject({
        status: 400,
        message: expect.stringContaining('Name:') as string,
      });
    const headers: Record<string, string> = {
      accept: 'application/json',
      'content-md5': createHash('md5').update('{}').digest('base64'),
      'content-type': 'application/json',
      date: new Date().toUTCString(),
      'x-acs-signature-nonce': randomUUID(),
    };
    const text = `POST\n${Object.values(headers).slice(0, 4).join('\n')}\nx-acs-signature-nonce:${headers['x-acs-signature-nonce']}\n/api/v1/images`;
    const signature = createHmac('sha1', key.accessKeySecret).update(text).digest('base64');
    const send = (sent: string) =>
      fetch(`${kiln.url}/api/v1/images`, {
        method: 'POST',
        headers: { ...headers, authorization: `acs ${key.accessKeyId}:${signature}` },
        body: sent,
      });
    expect(((await (await send('{"a":1}')).json()) as { Code: string }).Code).toBe('SignatureDoesNotMatch');
    expect(((await (await send('{}')).json()) as { Code: string }).Code).toBe('InvalidParameter');
  });

  it('keeps to the clock and the nonce', async () => {
    const signed = (change: Record<string, string>) => {
      const headers: Record<string, string> = {
        accept: 'application/json',
        date: new Date().toUTCString(),
        'x-acs-signature-nonce': randomUUID(),
        'x-acs-signature-method': 'HMAC-SHA1',
        ...change,
      };
      const acs = Object.keys(headers).filter((it) => it.startsWith('x-acs-')).sort().map((it) => `${it}:${headers[it] ?? ''}\n`); // prettier-ignore
      const text = `GET\n${headers['accept'] ?? ''}\n\n\n${headers['date'] ?? ''}\n${acs.join('')}/api/v1/images`;
      const signature = createHmac('sha1', key.accessKeySecret).update(text).digest('base64');
      return { ...headers, authorization: `acs ${key.accessKeyId}:${signature}` };
    };
    const get = async (headers: Record<string, string>) => {
      const answer = await fetch(`${kiln.url}/api/v1/images`, { headers });
      return { status: answer.status, code: ((await answer.json()) as { Code?: string }).Code };
    };
    const once = signed({});
    expect(await get(once)).toMatchObject({ status: 200 });
    expect(await get(once)).toMatchObject({ status: 400, code: 'SignatureNonceUsed' });
    const old = new Date(Date.now() - 16 * 60_000).toUTCString();
    expect(await get(signed({ date: old }))).toMatchObject({ code: 'InvalidTimeStamp.Expired' });
  });

  it('is off unless switched on', async () => {
    expect(await fail(popCore(strict, key), list)).toMatchObject({
      status: 400,
      message: expect.stringContaining('KILN_LEGACY_SIGNATURES'),
    });
  });
});

describe('SDK-HMAC-SHA256', () => {
  it('covers the body whatever X-Sdk-Content-Sha256 says', async () => {
    const path = `/v1/${key.projectId}/images`;
    const send = async (declared: string) => {
      const body = Buffer.from('{}');
      const headers = {
        host: new URL(kiln.url).host,
        'content-type': 'application/json',
        'x-sdk-date': `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`,
        'x-sdk-content-sha256': declared,
      };
      const signed = signSdkHmac(
        { method: 'POST', path, query: '', headers, body },
        key.accessKeyId,
        key.accessKeySecret,
      );
      const answer = await fetch(kiln.url + path, { method: 'POST', headers: signed as Record<string, string>, body });
      return { status: answer.status, code: ((await answer.json()) as { error_code: string }).error_code };
    };
    expect(await send(createHash('sha256').update('{}').digest('hex'))).toEqual({
      status: 400,
      code: 'ModelArts.0104',
    });
    expect(await send('UNSIGNED-PAYLOAD')).toEqual({ status: 401, code: 'APIG.0301' });
  });
});

describe('too many requests', () => {
  it('are told so in the form that each client understands', async () => {
    const flood = async (call: () => Promise<{ error?: unknown }>) => {
      const answers = await Promise.all(Array.from({ length: 12 }, call));
      return answers.map((it) => it.error).find((it) => it !== undefined);
    };
    const core = openapiCore(strict, key);
    const throttled = await flood(() => core.call(list));
    expect(throttled).toMatchObject({ name: 'ThrottlingError', code: 'Throttling.User', status: 429 });
    const { retryAfterMs } = throttled as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1000);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await succeed(core, list);
    const huawei = huaweiCore(strict, key);
    expect(await flood(() => huawei.call(images))).toMatchObject({
      name: 'ClientRequestException',
      code: 'APIG.0308',
      status: 429,
    });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        fetch(`${strict}/v1/${key.projectId}/images`, { headers: { 'x-auth-token': kiln.account.token } }),
      ),
    );
    expect(answers.find((it) => it.status === 429)?.headers.get('retry-after')).toBe('1');
  });
});
