import { randomUUID } from 'node:crypto';
import { newAccessKey, openSealer, signAcs3 } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { addMember, createUser, insertAccessKey } from '@kiln/persistence';
import { provisionAccount } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [] });
});
afterAll(() => kiln.stop());

const path = '/api/v1/imagebuilds';

describe('who is asking', () => {
  const get = async (headers: Record<string, string>, at = path) => {
    const answer = await fetch(kiln.url + at, { headers });
    return { status: answer.status, body: (await answer.json()) as any };
  };
  const signed = (key: string, secret: string, change: Record<string, string> = {}) => {
    const { host } = new URL(kiln.url);
    const headers = {
      host,
      'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
      'x-acs-signature-nonce': randomUUID(),
      ...change,
    };
    return signAcs3({ method: 'GET', path, query: '', headers, body: Buffer.alloc(0) }, key, secret) as Record<
      string,
      string
    >;
  };

  it('has to say so', async () => {
    expect(await get({})).toMatchObject({ status: 400, body: { Code: 'MissingParameter' } });
    expect(await get({ authorization: 'Bearer kiln_wrong' })).toMatchObject({
      status: 401,
      body: { Code: 'InvalidBearerToken' },
    });
    expect(await get({ authorization: `Bearer ${kiln.account.token}` })).toMatchObject({ status: 200 });
  });

  it('may not use a wrong secret, an unknown key, a stale clock, or a nonce twice', async () => {
    const { accessKeyId, accessKeySecret } = kiln.account;
    const wrong = await get(signed(accessKeyId, 'wrong'));
    expect(wrong).toMatchObject({
      status: 400,
      body: { Code: 'SignatureDoesNotMatch', Message: expect.stringContaining(`GET\n${path}\n`) as string },
    });
    expect(await get(signed('nobody', accessKeySecret))).toMatchObject({
      status: 404,
      body: { Code: 'InvalidAccessKeyId.NotFound' },
    });
    const old = new Date(Date.now() - 16 * 60_000).toISOString().slice(0, 19);
    expect(await get(signed(accessKeyId, accessKeySecret, { 'x-acs-date': `${old}Z` }))).toMatchObject({
      status: 400,
      body: { Code: 'InvalidTimeStamp.Expired' },
    });
    const once = signed(accessKeyId, accessKeySecret);
    expect((await get(once)).status).toBe(200);
    expect(await get(once)).toMatchObject({ status: 400, body: { Code: 'SignatureNonceUsed' } });
  });

  it('is told in the dialect of the path', async () => {
    const images = `/v1/${kiln.account.projectId}/images`;
    expect(await get({}, images)).toMatchObject({
      status: 401,
      body: {
        error_code: 'ModelArts.0205',
        error_msg: 'header Authorization or X-Auth-Token is missing',
      },
    });
    expect(await get({ 'x-auth-token': 'x' }, images)).toMatchObject({
      status: 401,
      body: { error_code: 'APIG.1002' },
    });
    expect(await get({ 'x-auth-token': kiln.account.token }, images)).toMatchObject({
      status: 200,
      body: { total: 0 },
    });
    expect(await get({ 'x-auth-token': kiln.account.token }, '/v1/other/images')).toMatchObject({
      status: 403,
      body: { error_code: 'ModelArts.0210' },
    });
    expect(await get({ 'x-auth-token': kiln.account.token }, '/v1/other/nothing')).toMatchObject({
      status: 404,
      body: { error_code: 'APIG.0101' },
    });
    expect(await get({}, '/nothing')).toMatchObject({
      status: 404,
      body: { Code: 'InvalidAction.NotFound', HostId: new URL(kiln.url).host },
    });
    const wrongMethod = await kiln.pai('DELETE', path);
    expect(wrongMethod).toMatchObject({ status: 405, body: { Code: 'InvalidAction.NotFound' } });
    expect(wrongMethod.headers.get('allow')).toBe('POST, GET');
  });

  it("does not see another account's builds, images, workspaces or projects", async () => {
    const { ImageBuildId, ImageBuildJobId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
    const other = openSignedClient(
      kiln.url,
      await provisionAccount(
        kiln.database.db,
        kiln.env.KILN_SEALING_KEY,
        `other-${randomUUID()}`,
        kiln.stack.registryHost,
      ),
    );
    expect((await other.pai('GET', `${path}/${ImageBuildId}`)).status).toBe(404);
    expect((await other.pai('POST', `${path}/${ImageBuildId}/cancel`)).status).toBe(404);
    expect((await other.pai('GET', `/api/v1/jobs/${ImageBuildJobId}`)).body.Code).toBe('NotFound');
    expect((await other.pai('GET', path)).body.ImageBuilds).toEqual([]);
    expect((await other.pai('POST', path, { body: kiln.buildRequest('FROM a') })).body.Code).toBe('100400027');
    expect((await other.modelarts('GET', `/v1/${kiln.account.projectId}/images`)).status).toBe(403);
  });
});

describe('members of a workspace', () => {
  const member = async (name: string, workspaces: string[]) => {
    const { accountId } = kiln.account;
    const user = await createUser(kiln.database.db, accountId, name, 'developer');
    for (const id of workspaces) await addMember(kiln.database.db, accountId, id, user.id);
    const key = newAccessKey();
    const secretSealed = openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(key.secret, `access-key:${key.id}`);
    await insertAccessKey(kiln.database.db, { id: key.id, accountId, userId: user.id, secretSealed });
    return openSignedClient(kiln.url, { accessKeyId: key.id, accessKeySecret: key.secret.reveal() });
  };

  it("see each other's PUBLIC builds and may not stop them; PRIVATE ones are their creator's", async () => {
    const [one, two, stranger] = [
      await member('one', [kiln.account.workspaceId]),
      await member('two', [kiln.account.workspaceId]),
      await member('stranger', []),
    ];
    const submit = async (Accessibility: string) => {
      const answer = await one.pai('POST', path, {
        body: kiln.buildRequest(`FROM ${kiln.base}\n`, { top: { Accessibility } }),
      });
      return `${path}/${answer.body.ImageBuildId}`;
    };
    const [open, closed] = [await submit('PUBLIC'), await submit('PRIVATE')];
    expect([(await two.pai('GET', open)).status, (await two.pai('GET', closed)).status]).toEqual([200, 404]);
    expect([(await stranger.pai('GET', open)).status, (await kiln.pai('GET', closed)).status]).toEqual([404, 200]);
    expect(await two.pai('POST', `${open}/cancel`)).toMatchObject({ status: 403, body: { Code: 'Forbidden.RAM' } });
    expect((await one.pai('POST', `${open}/cancel`)).status).toBe(200);
    expect((await stranger.pai('POST', path, { body: kiln.buildRequest('FROM a') })).body.Code).toBe('100400027');
  });
});
