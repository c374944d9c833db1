import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testStack } from '@kiln/kit/testing';
import { putRegistryConnection } from '@kiln/persistence';
import { freePort, type Managed, startRegistry } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

// A real registry behind a certificate that no system trusts.
const dir = join(testStack().dir, `tls-${randomUUID().slice(0, 8)}`);
const certificate = join(dir, 'cert.pem');
let kiln: TestKiln;
let registry: { server: Managed; host: string };

beforeAll(async () => {
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const key = join(dir, 'key.pem');
  const subject = ['-subj', '/CN=kiln-test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject, '-keyout', key, '-out', certificate],
    { stdio: 'ignore' },
  );
  registry = await startRegistry(dir, { port: await freePort(), tls: { certificate, key } });
  kiln = await openTestKiln({ env: { KILN_TIME_SCALE: '0.2' } });
});
afterAll(async () => {
  await kiln.stop();
  await registry.server.stop();
});

const build = async (connection: string, tag: string) => {
  const change = {
    image: { Uri: `${registry.host}/team/built:${tag}` },
    top: { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: connection } },
  };
  return kiln.ended(
    (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo ${tag} > /t\n`, change))).ImageBuildId,
  );
};

it.each([
  ['its CA', 'verify', true, 'succeeded', undefined],
  ['no verification', 'skip-verify', false, 'succeeded', undefined],
  ['nothing but the system’s CAs', 'verify', false, 'failed', 'RegistryUnreachable'],
] as const)(
  'with %s, a build to a TLS registry of a private CA ends as it should',
  async (_what, tlsMode, withCa, state, code) => {
    const id = `cri-${randomUUID().slice(0, 8)}`;
    const { accountId, projectId } = kiln.account;
    // One connection for the host at a time, so that registrations use the one under test.
    await kiln.database.db.$client.query('DELETE FROM registry_connections WHERE host = $1', [registry.host]);
    await putRegistryConnection(kiln.database.db, {
      accountId,
      id,
      host: registry.host,
      tlsMode,
      caPem: withCa ? readFileSync(certificate, 'utf8') : null,
    });
    await new Promise((resolve) => setTimeout(resolve, 2100)); // the directory's two seconds
    const built = await build(id, id);
    expect([built.State, built.Error?.Code]).toEqual([state, code]);
    if (state === 'succeeded') {
      // A build may start from what it published, too.
      const from = kiln.buildRequest(`FROM ${registry.host}/team/built:${id}\nRUN cat /t\n`);
      expect((await kiln.ended((await kiln.submit(from)).ImageBuildId)).Error).toBeUndefined();
    } else {
      expect(built.Error.Message).toContain('its certificate is not trusted');
      const answer = await kiln.modelarts('POST', `/v1/${projectId}/images`, {
        body: { swr_path: `${registry.host}/team/other:v1` },
      });
      expect(answer).toMatchObject({
        status: 201,
        body: { status: 'CREATING', status_message: expect.stringContaining('certificate') as string },
      });
    }
  },
  100_000,
);
