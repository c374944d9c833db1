import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { openSignedClient } from '@kiln/stack/client';
import type { TestKiln } from '@kiln/stack/testing';
import { attack, openAttackedKiln } from './attacked-kiln.ts';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openAttackedKiln();
});
afterAll(() => kiln.stop());

const admin = (args: string[], env?: Record<string, string>) => kiln.admin(args, env);

/** Everything that PostgreSQL holds, as text. */
async function stored(): Promise<string> {
  const { db } = kiln.database;
  const { rows: tables } = await db.$client.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const texts = await Promise.all(
    tables.map(({ name }) => db.$client.query<{ t: string }>(`SELECT it::text AS t FROM ${name} it`)),
  );
  return texts.flatMap(({ rows }) => rows.map((it) => it.t)).join('\n');
}

it('a build secret is there in its step, and nowhere else: not in logs, layers, history, errors or PostgreSQL', async () => {
  const secret = `s3cr3t/${randomBytes(12).toString('hex')}+x`;
  await admin(['secret', 'put', kiln.account.accountName, 'npm-token'], { KILN_BUILD_SECRET: secret });
  const { State, log, ImageUri } = await attack(
    kiln,
    [
      'RUN --mount=type=secret,id=npm-token test "$(cat /run/secrets/npm-token | busybox wc -c)" = ' +
        String(secret.length),
      'RUN --mount=type=secret,id=npm-token,target=/tok cat /tok; busybox base64 /tok; echo "begin-$(cat /tok)-end"; test -s /tok',
      'RUN test ! -s /run/secrets/npm-token && test ! -s /tok',
    ].join('\n'),
  );
  expect(State).toBe('succeeded');
  expect(log).toContain('begin-***-end');
  const forms = [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)];
  for (const it of forms) expect(log).not.toContain(it);

  const [, host = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:]+)$/.exec(ImageUri) ?? [];
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const manifest: any = await (
    await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } })
  ).json();
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    const bytes = Buffer.from(await (await fetch(`http://${host}/v2/${repository}/blobs/${digest}`)).arrayBuffer());
    const text = (digest === manifest.config.digest ? bytes : gunzipSync(bytes)).toString('latin1');
    expect(text).not.toContain(secret);
  }

  const failed = await attack(kiln, 'RUN --mount=type=secret,id=npm-token cat /run/secrets/npm-token; false');
  expect(failed.State).toBe('failed');
  expect(JSON.stringify(failed)).not.toContain(secret);
  const all = await stored();
  for (const it of forms) expect(all).not.toContain(it);

  // Another account's secrets are as if they were not there; so is one that was never made.
  const answer = await kiln.pai('POST', '/api/v1/imagebuilds', {
    body: kiln.buildRequest(`FROM ${kiln.base}\nRUN true\nRUN --mount=type=secret,id=other,required=true true\n`),
  });
  expect([answer.status, answer.body.Code]).toEqual([400, 'BuildSecretNotFound']);
  expect(answer.body.Message).toContain('line 3');
});

it('what was sealed with an old key opens until all is sealed anew, and then with the new one alone', async () => {
  await admin(['secret', 'put', kiln.account.accountName, 'kept'], { KILN_BUILD_SECRET: 'still here' });
  await admin(['source', 'put', kiln.account.accountName, 'git.example.com', '--username', 'a'], {
    KILN_SOURCE_PASSWORD: 'b',
  });
  const key = { KILN_SEALING_KEY: randomBytes(32).toString('base64') };
  const both = { ...key, KILN_SEALING_KEYS_OLD: kiln.env.KILN_SEALING_KEY };
  const { resealed } = await admin(['reseal'], both);
  expect(resealed.access_keys).toBeGreaterThan(0);
  expect(resealed.build_secrets).toBe(2);
  expect(resealed.source_connections).toBe(1);
  expect((await admin(['reseal'], key)).resealed).toEqual({
    access_keys: 0,
    registry_connections: 0,
    source_connections: 0,
    build_secrets: 0,
    signing_keys: 0,
    webhooks: 0,
    builds: 0,
  });
  // A signature is checked with a key's secret, which the new sealing key opens.
  const url = await kiln.startApi(key);
  expect((await openSignedClient(url, kiln.account).pai('GET', '/api/v1/images')).status).toBe(200);
});

it('the audit log tells who did what, and cannot be changed without it being seen', async () => {
  const { entries, brokenAt } = await admin(['audit', 'verify']);
  expect(entries).toBeGreaterThan(2);
  expect(brokenAt).toBeNull();
  const [last] = await admin(['audit', 'list', '--limit', '1']);
  expect(last).toMatchObject({ actor: 'operator', action: 'reseal', outcome: 'ok' });
  expect(JSON.stringify(await admin(['audit', 'list']))).not.toContain('still here');

  const { db } = kiln.database;
  const change = `UPDATE audit_log SET target = 'nothing' WHERE id = 1`;
  await expect(db.$client.query(change)).rejects.toThrow('can only be appended to');
  await expect(db.$client.query('DELETE FROM audit_log')).rejects.toThrow('can only be appended to');
  await expect(db.$client.query('TRUNCATE audit_log')).rejects.toThrow('can only be appended to');
  // Whoever owns the database can do it all the same, and is found out.
  await db.$client.query('ALTER TABLE audit_log DISABLE TRIGGER audit_refuse');
  await db.$client.query(change);
  await expect(admin(['audit', 'verify'])).rejects.toMatchObject({
    stderr: expect.stringContaining('broken at entry 1') as string,
  });
});
