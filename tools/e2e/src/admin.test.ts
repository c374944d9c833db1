import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { openSignedClient } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [] });
});
afterAll(() => kiln.stop());

const admin = (args: string[], env?: Record<string, string>) => kiln.admin(args, env);

it('makes an account that can sign, lists it without secrets, and takes its key away', async () => {
  const account = await admin(['create', 'account', 'acme']);
  const key = await admin(['create', 'key', 'acme']);
  const token = await admin(['create', 'token', 'acme', '--days', '1']);
  const client = openSignedClient(kiln.url, key);
  expect(await client.modelarts('GET', `/v1/${account.projectId}/images`)).toMatchObject({
    status: 200,
    body: { total: 0 },
  });
  const bearer = await fetch(`${kiln.url}/api/v1/imagebuilds`, { headers: { authorization: `Bearer ${token.token}` } });
  expect(bearer.status).toBe(200);

  const temporary = await admin(['create', 'key', 'acme', '--hours', '1']);
  const passing = openSignedClient(kiln.url, temporary);
  expect(await passing.pai('GET', '/api/v1/images')).toMatchObject({ status: 400 });
  expect(Date.parse(temporary.expiresAt) - Date.now()).toBeGreaterThan(3_500_000);

  await admin(['registry', 'put', 'acme', 'cri-1', 'registry.example.com', '--username', 'robot'], {
    KILN_REGISTRY_PASSWORD: 'registry-secret',
  });
  const file = join(dirname(String(kiln.env['KILN_BUILDER_DIR'])), 'password');
  writeFileSync(file, 'secret-of-a-file\n');
  await admin(['registry', 'put', 'acme', 'cri-2', 'registry.example.org', '--username', 'robot'], {
    KILN_REGISTRY_PASSWORD_FILE: file,
  });
  await expect(
    admin(['registry', 'put', 'acme', 'cri-3', 'a.example.org', '--username', 'robot']),
  ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('KILN_REGISTRY_PASSWORD_FILE') as string });
  const listed = JSON.stringify(
    await Promise.all(['key', 'token', 'registry', 'user'].map((kind) => admin(['list', kind, '--account', 'acme']))),
  );
  expect(listed).toContain('registry.example.com');
  for (const secret of [
    key.accessKeySecret,
    token.token,
    temporary.securityToken,
    'registry-secret',
    'secret-of-a-file',
  ])
    expect(listed).not.toContain(secret);

  await admin(['revoke', 'key', key.accessKeyId]);
  await admin(['revoke', 'token', token.id]);
  await eventually(
    async () =>
      (await client.pai('GET', '/api/v1/imagebuilds')).body.Code === 'InvalidAccessKeyId.Inactive' ? true : undefined,
    'the key to stop working',
    10_000,
  );
  await admin(['revoke', 'workspace', account.workspaceId]);
  expect(await admin(['list', 'workspace', '--account', 'acme'])).toMatchObject([
    { id: account.workspaceId, revokedAt: expect.any(String) as string },
  ]);
});

it('shows the jail of a class and a network, which is what a builder would run', async () => {
  const { bundle, firewall, build } = await admin(['jail', 'show', '--class', 'ecs.g6.xlarge']);
  expect(bundle.linux.namespaces.map((it: any) => it.type)).toContain('user');
  expect(bundle.process.capabilities.bounding).not.toContain('CAP_NET_ADMIN');
  expect(build).toMatchObject({ cpuMillis: 4000, memoryBytes: 16 * 2 ** 30 });
  expect(firewall.join('\n')).toContain('169.254.0.0/16');
  await expect(admin(['jail', 'show', '--network', 'vpc-none', '--class', 'none'])).rejects.toMatchObject({ code: 1 });
});

it.each([
  [['create', 'account', 'twice'], ['create', 'account', 'twice'], 'accounts_name_unique'],
  [['list', 'account'], ['create', 'key', 'nobody'], 'there is no account nobody'],
  [['list', 'account'], ['revoke', 'key', 'nothing'], 'there is no key nothing'],
  [
    ['create', 'account', 'half'],
    ['create', 'user', 'half', 'bob', '--workspace', '1'],
    'the account has no workspace 1',
  ],
])('after %j, explains why %j fails', async (first, args, why) => {
  await admin(first);
  await expect(admin(args)).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(why) as string });
});
