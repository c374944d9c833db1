import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [] });
});
afterAll(() => kiln.stop());

/** Calls with a token of anybody. */
const callAs = async (token: string, method: string, path: string, body?: object) => {
  const answer = await fetch(`${kiln.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as any };
};
const admin = (method: string, path: string, body?: object) => callAs(kiln.account.token, method, path, body);
const statusOf = async (token: string) => (await callAs(token, 'GET', '/api/v1/session')).status;

it('an admin makes a user with a token, gives another role, and revokes the user', async () => {
  const { workspaceId } = kiln.account;
  const made = await admin('POST', '/api/v1/users', { Name: 'ada', Role: 'developer', WorkspaceIds: [workspaceId] });
  expect(made).toMatchObject({ status: 200, body: { UserId: expect.stringMatching(/^\d+$/) } });
  const { UserId } = made.body;
  expect((await admin('POST', '/api/v1/users', { Name: 'ada' })).body.Message).toContain('a user ada already');
  expect((await admin('POST', '/api/v1/users', { Name: 'eve', WorkspaceIds: ['1'] })).body.Code).toBe('100400027');
  expect((await admin('GET', '/api/v1/users')).body.Users).toContainEqual(
    expect.objectContaining({ UserId, Name: 'ada', Role: 'developer', WorkspaceIds: [workspaceId] }),
  );
  const { Token, TokenId } = (await admin('POST', '/api/v1/tokens', { UserId, Days: 1 })).body;
  expect((await callAs(Token, 'GET', '/api/v1/session')).body).toMatchObject({ User: 'ada', Role: 'developer' });
  // Somebody who is no admin sees and makes only what is theirs.
  expect((await callAs(Token, 'GET', '/api/v1/users')).body.Code).toBe('Forbidden.RAM');
  expect((await callAs(Token, 'POST', '/api/v1/tokens', { UserId: kiln.account.userId })).status).toBe(403);
  expect((await callAs(Token, 'GET', '/api/v1/tokens')).body.Tokens).toEqual([
    expect.objectContaining({ TokenId, UserId }),
  ]);
  const another = (await callAs(Token, 'POST', '/api/v1/tokens', { Scopes: ['images:read'] })).body;
  expect((await callAs(another.Token, 'POST', '/api/v1/tokens', {})).status).toBe(403);
  const [theirs] = (await admin('GET', '/api/v1/tokens')).body.Tokens.filter((it: any) => it.UserId !== UserId);
  expect((await callAs(Token, 'DELETE', `/api/v1/tokens/${theirs?.TokenId}`)).status).toBe(404);
  expect((await callAs(Token, 'DELETE', `/api/v1/tokens/${another.TokenId}`)).status).toBe(200);
  await eventually(async () => ((await statusOf(another.Token)) === 401 ? true : undefined), 'the token is gone');

  expect(
    (await admin('PUT', `/api/v1/users/${UserId}`, { Role: 'viewer', WorkspaceIds: [workspaceId, workspaceId] }))
      .status,
  ).toBe(200);
  await eventually(
    async () => ((await callAs(Token, 'GET', '/api/v1/session')).body.Role === 'viewer' ? true : undefined),
    'the role has changed',
  );
  expect((await admin('DELETE', `/api/v1/users/${UserId}`)).status).toBe(200);
  await eventually(async () => ((await statusOf(Token)) === 401 ? true : undefined), 'the user is gone');
  expect((await admin('DELETE', `/api/v1/users/${UserId}`)).body.Code).toBe('UserNotFound');
  expect((await admin('POST', '/api/v1/users', { Name: 'ada' })).status).toBe(400);
});

it('an account keeps an admin, also when two are revoked at once', async () => {
  const { userId } = kiln.account;
  for (const change of [
    ['DELETE', undefined],
    ['PUT', { Role: 'developer' }],
  ] as const)
    expect(await admin(change[0], `/api/v1/users/${userId}`, change[1])).toMatchObject({
      status: 409,
      body: { Code: 'LastAdmin' },
    });
  const { UserId } = (await admin('POST', '/api/v1/users', { Name: 'second', Role: 'admin' })).body;
  const both = await Promise.all([UserId, userId].map((it) => admin('PUT', `/api/v1/users/${it}`, { Role: 'viewer' })));
  expect(both.map((it) => it.status).sort()).toEqual([200, 409]);
  await kiln.database.db.$client.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [userId]);
});

it('makes access keys that sign requests, and revokes them', async () => {
  await eventually(
    async () => ((await admin('GET', '/api/v1/users')).status === 200 ? true : undefined),
    'the admin is one again',
  );
  const { AccessKeyId, AccessKeySecret } = (await admin('POST', '/api/v1/accesskeys', {})).body;
  expect(AccessKeyId).toMatch(/^KILN/);
  expect(AccessKeySecret.length).toBeGreaterThan(20);
  expect((await admin('GET', '/api/v1/access')).body.AccessKeys).toContainEqual(
    expect.objectContaining({ AccessKeyId }),
  );
  expect((await admin('DELETE', `/api/v1/accesskeys/${AccessKeyId}`)).status).toBe(200);
  expect((await admin('DELETE', `/api/v1/accesskeys/${AccessKeyId}`)).body.Code).toBe('AccessKeyNotFound');
});

it('keeps a registry connection only when the registry takes it', async () => {
  const path = '/api/v1/registries/second';
  const open = { Host: kiln.stack.registryHost, Tls: 'http' };
  expect(await admin('PUT', path, { ...open, Repository: 'tried/app' })).toMatchObject({
    status: 200,
    body: { Pushed: true },
  });
  expect((await admin('GET', '/api/v1/access')).body.Registries).toContainEqual(
    expect.objectContaining({ InstanceId: 'second', Host: open.Host, SignsIn: false }),
  );
  const closed = { Host: kiln.stack.privateRegistryHost, Tls: 'http' };
  expect(await admin('PUT', '/api/v1/registries/third', closed)).toMatchObject({
    status: 403,
    body: { Code: 'RegistryDenied' },
  });
  expect(await admin('PUT', '/api/v1/registries/third', { ...closed, Username: 'kiln', Password: 'wrong' })).toMatchObject({
    status: 403, body: { Code: 'RegistryDenied' },
  }); // prettier-ignore
  expect(await admin('PUT', '/api/v1/registries/third', { Host: '127.0.0.1:1', Tls: 'http' })).toMatchObject({
    status: 400,
    body: { Code: 'InvalidParameter', Message: expect.stringMatching(/^Host: .*127\.0\.0\.1:1/) },
  });
  expect(await admin('PUT', '/api/v1/registries/third', { Host: '169.254.169.254' })).toMatchObject({
    body: { Code: 'AddressNotAllowed' },
  });
  expect(await admin('PUT', path, { ...open, Username: 'a' })).toMatchObject({
    status: 400,
    body: { Message: expect.stringContaining('Password') },
  });
  expect((await admin('GET', '/api/v1/access')).body.Registries.map((it: any) => it.InstanceId)).not.toContain('third');
  expect((await admin('DELETE', path)).status).toBe(200);
  expect((await admin('DELETE', path)).body.Code).toBe('RegistryConnectionNotFound');
});

it('builds through a registry connection as soon as it is there', async () => {
  const build = (change: object) =>
    admin('POST', '/api/v1/imagebuilds', { ...kiln.buildRequest(`FROM ${kiln.base}\n`), ...change });
  const soon = { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: 'soon' } };
  expect((await build({})).status).toBe(200);
  expect((await build(soon)).body.Code).toBe('RegistryConnectionNotFound');
  const made = await admin('PUT', '/api/v1/registries/soon', { Host: kiln.stack.registryHost, Tls: 'http' });
  expect(made.status).toBe(200);
  expect((await build(soon)).status).toBe(200);
});

it('keeps secrets and sources, shows their names alone, and notes who did what', async () => {
  expect((await admin('PUT', '/api/v1/secrets/pip-token', { Value: 'a very secret word' })).status).toBe(200);
  expect((await admin('PUT', '/api/v1/secrets/no%20name', { Value: 'x' })).body.Message).toContain('Name');
  const listed = await admin('GET', '/api/v1/secrets');
  expect(listed.body.Secrets).toEqual([expect.objectContaining({ Name: 'pip-token' })]);
  const source = '/api/v1/sources/Git.Example.com';
  expect((await admin('PUT', source, { Username: 'robot', Password: 'a very secret word' })).status).toBe(200);
  expect((await admin('PUT', source, { PrivateKey: 'none', KnownHosts: 'none' })).body.Message).toContain('PrivateKey');
  const sources = await admin('GET', '/api/v1/sources');
  expect(sources.body.Sources).toEqual([
    expect.objectContaining({ Host: 'git.example.com', Username: 'robot', HasKey: false }),
  ]);
  expect(JSON.stringify([listed, sources])).not.toContain('a very secret word');
  expect((await admin('DELETE', source)).status).toBe(200);
  expect((await admin('DELETE', '/api/v1/secrets/pip-token')).status).toBe(200);
  expect((await admin('DELETE', '/api/v1/secrets/pip-token')).body.Code).toBe('SecretNotFound');
  await eventually(async () => {
    const { Records } = (await admin('GET', '/api/v1/audit?Limit=200')).body;
    const done = Records.map((it: any) => it.Action);
    return ['CreateUser', 'MakeToken', 'PutRegistry', 'PutSecret', 'DeleteSource'].every((it) => done.includes(it))
      ? true
      : undefined;
  }, 'the audit log has it');
  expect(readFileSync(`${dirname(kiln.env['KILN_BUILDER_DIR'] ?? '')}/logs/api.log`, 'utf8')).not.toContain(
    'a very secret word',
  );
});

it('sets what an account may use, by whoever runs the installation', async () => {
  const { id: account } = await kiln.admin(['create', 'account', `limited-${Date.now()}`]);
  const path = `/api/v1/accounts/${account}/limits`;
  expect((await admin('PUT', path, { Weight: 3, RunningMax: 8 })).body).toMatchObject({
    Weight: 3,
    RunningMax: 8,
    DailyMax: null,
  });
  expect((await admin('PUT', path, { DailyMax: 0 })).body).toMatchObject({ Weight: 3, RunningMax: 8, DailyMax: 0 });
  expect((await admin('PUT', path, { Weight: 0 })).body.Message).toContain('Weight: must be at least 1');
  expect((await admin('PUT', '/api/v1/accounts/nobody/limits', { Weight: 1 })).body.Code).toBe('AccountNotFound');
});
