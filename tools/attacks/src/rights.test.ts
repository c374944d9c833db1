import { eventually } from '@kiln/kit/testing';
import { operations } from '@kiln/contract';
import { Redis } from 'ioredis';
import { appUrls } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import { exampleFor, idsFor, openTestKiln, sendOperation, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let owner: string;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'], env: { KILN_REQUESTS_PER_SECOND: '0' } });
  owner = kiln.account.accountName;
});
afterAll(() => kiln.stop());

const admin = (...args: string[]) => kiln.admin(args);

// Own tokens and keys are everybody's own affair.
const writes = operations.filter((it) => it.method !== 'GET' && !it.anonymous && !it.free && it.role !== 'viewer');
const ofInstallation = operations.filter((it) => it.operates);

describe('a viewer', () => {
  let token: string;
  beforeAll(async () => {
    await admin('create', 'user', owner, 'reader', '--role', 'viewer', '--workspace', kiln.account.workspaceId);
    ({ token } = await admin('create', 'token', owner, 'reader'));
  });

  it.each(writes.map((it) => [it.name, it] as const))('may not %s', async (_, operation) => {
    const ids = await idsFor(kiln, operation);
    const got = await sendOperation(kiln, operation, ids, await exampleFor(kiln, operation), token);
    const why = operation.method === 'HEAD' ? '' : (expect.stringContaining('is a viewer') as string);
    expect([got.status, got.text]).toEqual([403, why]);
  });

  it('may read', async () => {
    const answer = await fetch(`${kiln.url}/api/v1/images`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  });
});

describe('what shows the whole installation', () => {
  const ask = async (operation: (typeof operations)[number], token: string) => {
    const path = operation.path.replace(/\{\w+\}/g, 'build-none');
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const { body } = operation.example;
    const answer = await fetch(kiln.url + path, {
      method: operation.method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return [answer.status, await answer.text()] as const;
  };
  const refused = (why: string) => [403, expect.stringContaining(why) as string];

  it('is for operators of an account that runs it, with keys that are not narrowed', async () => {
    expect(ofInstallation.map((it) => it.name)).toEqual([
      'ListQueues',
      'RedriveImageBuild',
      'ListWorkers',
      'UpdateWorker',
      'RemoveCache',
      'PutAccountLimits',
    ]);
    const other = `other-${owner}`;
    await admin('create', 'account', other);
    const stranger = (await admin('create', 'token', other)).token as string;
    const narrowed = (await admin('create', 'token', owner, 'admin', '--scope', 'builds:read', 'builds:write'))
      .token as string;
    await admin('create', 'user', owner, 'maker', '--role', 'developer');
    const developer = (await admin('create', 'token', owner, 'maker')).token as string;
    for (const it of ofInstallation) {
      expect(await ask(it, stranger)).toEqual(refused('accounts that run the installation'));
      expect(await ask(it, narrowed)).toEqual(refused('is narrowed'));
      expect(await ask(it, developer)).toEqual(refused('needs the role operator'));
      expect((await ask(it, kiln.account.token))[0]).toBe(it.method === 'GET' ? 200 : 404);
    }
    await admin('operates', other);
    const [first] = ofInstallation;
    const later = async () => (first && (await ask(first, stranger))[0] === 200 ? true : undefined);
    await eventually(later, 'the directory to forget');
    expect(await admin('operates', other, '--revoke')).toMatchObject({ operates: false });
    const noMore = async () => (first && (await ask(first, stranger))[0] === 403 ? true : undefined);
    await eventually(noMore, 'the directory to forget again');
  });
});

describe('an operator', () => {
  it('stops and repeats the builds of others, and leaves their images alone', async () => {
    await admin('create', 'user', owner, 'keeper', '--role', 'operator');
    const key = await admin('create', 'key', owner, 'keeper');
    const keeper = openSignedClient(kiln.url, key);
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
    expect((await keeper.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`)).status).toBe(200);
    const body = { Name: 'of-the-admin', ImageUri: kiln.base, WorkspaceId: kiln.account.workspaceId };
    const { ImageId } = (await kiln.pai('POST', '/api/v1/images', { body })).body;
    expect((await keeper.pai('GET', `/api/v1/images/${ImageId}`)).status).toBe(200);
    expect((await keeper.pai('DELETE', `/api/v1/images/${ImageId}`)).body.Code).toBe('Forbidden.RAM');
  });
});

describe('a key', () => {
  it('is good for its scopes only, whatever its user may do; so is a token that is asked for with it', async () => {
    const key = await admin('create', 'key', owner, 'admin', '--scope', 'builds:read', 'images:read');
    const client = openSignedClient(kiln.url, key);
    expect((await client.pai('GET', '/api/v1/imagebuilds')).status).toBe(200);
    const refused = await client.pai('POST', '/api/v1/imagebuilds', { body: kiln.buildRequest(`FROM ${kiln.base}\n`) });
    expect([refused.status, refused.body.Code]).toEqual([403, 'Forbidden.RAM']);
    expect(refused.body.Message).toContain('builds:write');

    const identity = {
      methods: ['hw_ak_sk'],
      hw_ak_sk: { access: { key: key.accessKeyId }, secret: { key: key.accessKeySecret } },
    };
    const issued = await fetch(`${kiln.url}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity } }),
    });
    const headers = { 'x-auth-token': issued.headers.get('x-subject-token') ?? '', 'content-type': 'application/json' };
    const path = `${kiln.url}/v1/${kiln.account.projectId}/images`;
    expect((await fetch(path, { headers })).status).toBe(200);
    const body = JSON.stringify({ swr_path: kiln.base });
    expect((await fetch(path, { method: 'POST', headers, body })).status).toBe(403);
  });

  it('is followed by another one, and both work for as long as the operator says', async () => {
    const first = await admin('create', 'key', owner, 'admin', '--scope', 'images:read');
    const second = await admin('rotate-key', first.accessKeyId, '--overlap', '1');
    for (const it of [first, second]) {
      const client = openSignedClient(kiln.url, it);
      expect((await client.pai('GET', '/api/v1/images')).status).toBe(200);
      expect((await client.pai('GET', '/api/v1/imagebuilds')).status).toBe(403);
    }
    await admin('rotate-key', second.accessKeyId, '--overlap', '0');
    await new Promise((resolve) => setTimeout(resolve, 2200)); // the directory's two seconds
    expect((await openSignedClient(kiln.url, second).pai('GET', '/api/v1/images')).body.Code).toBe(
      'InvalidAccessKeyId.Inactive',
    );
  });

  it('shows when it was last used', async () => {
    const url = await kiln.startApi({});
    expect((await openSignedClient(url, kiln.account).pai('GET', '/api/v1/images')).status).toBe(200);
    await kiln.stopApi(url);
    const keys = await admin('list', 'key', '--account', owner);
    const used = keys.find((it: any) => it.id === kiln.account.accessKeyId);
    expect(Date.now() - Date.parse(used.lastUsedAt)).toBeLessThan(60_000);
  });
});

it('every change is on record, whoever tried it, with the key and where it came from', async () => {
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
  const entry = await eventually(async () => {
    const all: any[] = await admin('audit', 'list', '--account', owner, '--limit', '5');
    return all.find((it) => it.action === 'CreateImageBuild' && it.outcome === 'ok');
  }, `the record of ${ImageBuildId}`);
  expect(entry).toMatchObject({
    actor: kiln.account.userId,
    target: '/api/v1/imagebuilds',
    details: {
      key: kiln.account.accessKeyId,
      address: expect.stringContaining('127.0.0.1') as string,
      made: ImageBuildId,
    },
  });
  const everything: any[] = await admin('audit', 'list', '--account', owner, '--limit', '1000');
  expect(everything.find((it) => it.outcome === 'Forbidden' && it.action === 'RegisterImage')).toBeDefined();
  expect(everything.find((it) => it.action === 'CreateToken')).toMatchObject({
    actor: expect.not.stringMatching('stranger') as string,
  });
  const limits = await admin('limits', owner, '--daily', '0');
  expect((await admin('audit', 'list', '--account', owner, '--limit', '1'))[0]).toMatchObject({
    actor: 'operator',
    action: 'limits',
    accountId: limits.account,
    details: { options: { daily: 0 } },
  });
  expect(await admin('audit', 'verify')).toMatchObject({ brokenAt: null });
});

it.each(['api', 'builder', 'registrar'] as const)(
  'the %s has its own keys in Redis, and none of the server’s commands',
  async (app) => {
    const redis = new Redis(appUrls(kiln.env, app)['KILN_REDIS_URL'] ?? '', { lazyConnect: true });
    try {
      const prefix = kiln.env['KILN_REDIS_PREFIX'] ?? '';
      expect(await redis.set(`${prefix}:attacks`, '1')).toBe('OK');
      const refused = [
        redis.get('another:key'),
        redis.eval("return redis.call('GET', 'another:key')", 0),
        redis.publish('another:signal:x', ''),
        redis.keys('*'),
        redis.flushall(),
        redis.config('GET', '*'),
        redis.acl('LIST'),
        redis.call('REPLICAOF', '127.0.0.1', '1'),
        redis.call('MODULE', 'LIST'),
        redis.shutdown(),
      ];
      for (const it of await Promise.allSettled(refused))
        expect(String((it as PromiseRejectedResult).reason)).toMatch(/NOPERM|can't access at least one of the keys/);
    } finally {
      redis.disconnect();
    }
  },
);
