import { execFileSync } from 'node:child_process';
import { createSign, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openSealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { testStack } from '@kiln/kit/testing';
import { putRegistryConnection } from '@kiln/persistence';
import { freePort, type Managed, startRegistry } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

// A real registry that trusts a token service: the way of Docker Hub, ACR and most others. The service is the test's
// own.
const dir = join(testStack().dir, 'token-registry');
const service = 'kiln-test-registry';
let kiln: TestKiln;
let registry: { server: Managed; host: string };
let tokens: Server;
const asked: string[] = [];
// The registry's data outlives a run.
const team = `team-${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=kiln', '-days', '1', '-keyout', key, '-out', cert],
    { stdio: 'ignore' },
  );
  const der = readFileSync(cert, 'utf8').replace(/-----[A-Z ]+-----|\s/g, '');
  tokens = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://x');
    asked.push(url.searchParams.get('scope') ?? '');
    if (req.headers.authorization !== `Basic ${Buffer.from('robot:token-password').toString('base64')}`)
      return void res.writeHead(401).end();
    const access = url.searchParams.getAll('scope').map((it) => {
      const [type, name, actions = ''] = it.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: 'kiln-test',
      sub: 'robot',
      aud: service,
      exp: now + 60,
      nbf: now - 5,
      iat: now,
      jti: randomUUID(),
      access,
    };
    const text = `${part({ typ: 'JWT', alg: 'RS256', x5c: [der] })}.${part(claims)}`;
    const token = `${text}.${createSign('RSA-SHA256').update(text).sign(readFileSync(key)).toString('base64url')}`;
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ token, expires_in: 60 }));
  });
  await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
  const realm = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`;
  registry = await startRegistry(dir, {
    port: await freePort(),
    name: 'registry',
    token: { realm, service, issuer: 'kiln-test', rootcertbundle: cert },
  });
  kiln = await openTestKiln();
});
afterAll(async () => {
  await kiln.stop();
  await registry.server.stop();
  await new Promise((resolve) => tokens.close(resolve));
});

it('publishes to a registry with token authentication, and registers from it', async () => {
  const { accountId, projectId } = kiln.account;
  const passwordSealed = openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(
    new Secret('token-password'),
    `registry-connection:${accountId}:cri-token`,
  );
  await putRegistryConnection(kiln.database.db, {
    accountId,
    id: 'cri-token',
    host: registry.host,
    tlsMode: 'http',
    username: 'robot',
    passwordSealed,
  });
  const target = { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: 'cri-token' } };
  const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo t > /t\n`, {
    image: { Uri: `${registry.host}/${team}/built:v1` },
    top: target,
  });
  const built = await kiln.ended((await kiln.submit(body)).ImageBuildId);
  expect(built.Error).toBeUndefined();
  expect(asked).toContain(`repository:${team}/built:pull,push`);
  const registered = await kiln.modelarts('POST', `/v1/${projectId}/images`, {
    body: { swr_path: `${registry.host}/${team}/built:v1` },
  });
  // The build's own entry has this reference already.
  expect(registered.body.error_code).toBe('ModelArts.6737');

  await putRegistryConnection(kiln.database.db, {
    accountId,
    id: 'cri-token',
    host: registry.host,
    tlsMode: 'http',
    username: 'robot',
    passwordSealed: openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(
      new Secret('wrong'),
      `registry-connection:${accountId}:cri-token`,
    ),
  });
  const denied = await kiln.ended(
    (
      await kiln.submit(
        kiln.buildRequest(`FROM ${kiln.base}\n`, {
          image: { Uri: `${registry.host}/${team}/other:v1` },
          top: { ...target, OverwriteImageTag: true },
        }),
      )
    ).ImageBuildId,
  );
  expect(denied).toMatchObject({ State: 'failed', Error: { Code: 'PushDenied', Class: 'user', Phase: 'push' } });
});
