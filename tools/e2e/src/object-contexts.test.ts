import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import S3rver from 's3rver';

let kiln: TestKiln;
let store: S3rver;
let server: Server;
const dir = mkdtempSync(join(tmpdir(), 'kiln-objects-'));
/** What the plain server has at each path. */
const served = new Map<string, { bytes: Buffer; etag?: string; breaks?: number }>();
let host = '';
let storeHost = '';
// s3rver's own. It knows keys by their id, and looks at no signature of version 4.
const keys = { id: 'S3RVER', secret: 'S3RVER' };

beforeAll(async () => {
  server = createServer((req, res) => {
    const found = served.get(req.url ?? '');
    if (!found) return void res.writeHead(404).end();
    // Breaks off in the middle, so often.
    if (req.method === 'GET' && found.breaks !== undefined && (found.breaks -= 1) >= 0) {
      res.writeHead(200, { 'content-length': found.bytes.length, etag: found.etag });
      return void res.write(found.bytes.subarray(0, found.bytes.length / 2), () => res.destroy());
    }
    res.writeHead(200, { 'content-length': found.bytes.length, ...(found.etag ? { etag: found.etag } : {}) });
    res.end(req.method === 'HEAD' ? undefined : found.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  store = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(dir, 's3'),
    configureBuckets: ['bucket', 'contexts'].map((name) => ({ name, configs: [] })),
  });
  storeHost = `127.0.0.1:${(await store.run()).port}`;
  kiln = await openTestKiln({
    env: {
      KILN_OBJECT_STORES: `s3=http://${storeHost}`,
      // Contexts are kept in a bucket, too.
      KILN_CONTEXT_DIR: '',
      KILN_CONTEXT_BUCKET: 'contexts/kiln',
      KILN_CONTEXT_ENDPOINT: `http://${storeHost}#us-east-1`,
      AWS_ACCESS_KEY_ID: keys.id,
      AWS_SECRET_ACCESS_KEY: keys.secret,
    },
  });
  await kiln.admin(['source', 'put', kiln.account.accountId, host, '--tls', 'http']);
});
afterAll(async () => {
  server.close();
  await store.close();
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

/** A packed folder with a Dockerfile that shows these words. */
function archive(words: string): Buffer {
  const folder = join(dir, 'folder');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'main.txt'), words);
  writeFileSync(join(folder, 'Dockerfile'), `FROM ${kiln.base}\nCOPY main.txt /\nRUN cat /main.txt\n`);
  return execFileSync('tar', ['-C', folder, '-cz', '.']);
}
const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const bodyOf = (context: object) => {
  const body = kiln.buildRequest('', { config: { Context: { Type: 'Object', ...context } } });
  delete (body['BuildConfig'] as Record<string, unknown>)['Dockerfile'];
  return body;
};
const buildOf = async (context: object, meanwhile = () => {}) => {
  const { ImageBuildId: id } = await kiln.submit(bodyOf(context));
  meanwhile();
  return { build: await kiln.ended(id), log: await kiln.logs(id) };
};
const refusal = async (context: object) =>
  (await kiln.pai('POST', '/api/v1/imagebuilds', { body: bodyOf(context) })) as { status: number; body: any };

it('builds an archive from a server of HTTP: by its digest, or as it was when the build was accepted', async () => {
  const bytes = archive('over http');
  served.set('/app.tar.gz', { bytes, etag: '"one"' });
  const url = `https://${host}/app.tar.gz`;
  const first = await buildOf({ Url: url });
  expect(first.build).toMatchObject({ State: 'succeeded' });
  expect(first.log).toContain('over http');
  served.set('/plain', { bytes });
  expect(await refusal({ Url: `https://${host}/plain` })).toMatchObject({
    status: 400,
    body: { Message: expect.stringContaining('Digest') },
  });
  expect((await buildOf({ Url: `https://${host}/plain`, Digest: digestOf(bytes) })).build).toMatchObject({
    State: 'succeeded',
  });
  const wrong = await buildOf({ Url: url, Digest: digestOf(Buffer.from('x')) });
  expect(wrong.build).toMatchObject({ State: 'failed', Error: { Code: 'ContextInvalid' } });
  expect(await refusal({ Url: `https://${host}/none.tar` })).toMatchObject({ body: { Code: 'SourceNotFound' } });
  expect(await refusal({ Url: 'https://10.0.0.1/a.tar' })).toMatchObject({ body: { Code: 'AddressNotAllowed' } });
});

it('tries an archive again that breaks off in the middle', async () => {
  served.set('/breaks.tar.gz', { bytes: archive('whole at last'), etag: '"one"', breaks: 1 });
  const { build, log } = await buildOf({ Url: `https://${host}/breaks.tar.gz` });
  expect({ state: build.State, error: build.Error }).toEqual({ state: 'succeeded', error: undefined });
  expect(log).toContain('whole at last');
});

it('keeps what is uploaded in a bucket, and builds from there', async () => {
  const bytes = archive('uploaded into a bucket');
  const answer = await fetch(`${kiln.url}/api/v1/contexts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${kiln.account.token}`, 'content-type': 'application/gzip' },
    body: new Uint8Array(bytes),
  });
  const { Id } = (await answer.json()) as { Id: string };
  expect(readdirSync(join(dir, 's3/contexts/kiln/contexts', kiln.account.accountId)).join()).toContain(
    `${Id.slice('sha256:'.length)}._S3rver_object`,
  );
  const { build, log } = await buildOf({ Type: 'Upload', Id });
  expect(build).toMatchObject({ State: 'succeeded' });
  expect(log).toContain('uploaded into a bucket');
});

it('fails a build whose archive has become another one since', async () => {
  const old = kiln.running('builder');
  await old.stop();
  served.set('/moving.tar.gz', { bytes: archive('before'), etag: '"one"' });
  const changed = await buildOf({ Url: `https://${host}/moving.tar.gz` }, () => {
    served.set('/moving.tar.gz', { bytes: archive('after'), etag: '"two"' });
    kiln.start('builder');
  });
  expect(changed.build).toMatchObject({ State: 'failed', Error: { Code: 'SourceChanged' } });
});

it('builds an archive from a store that speaks S3, with the account’s key', async () => {
  const file = join(dir, 'app.tar.gz');
  writeFileSync(file, archive('out of a bucket'));
  const folder = join(dir, 's3/bucket/builds');
  mkdirSync(folder, { recursive: true });
  const bytes = readFileSync(file);
  writeFileSync(join(folder, 'app.tar.gz._S3rver_object'), bytes);
  writeFileSync(join(folder, 'app.tar.gz._S3rver_object.md5'), createHash('md5').update(bytes).digest('hex'));
  writeFileSync(join(folder, 'app.tar.gz._S3rver_metadata.json'), '{}');
  const put = (id: string) =>
    kiln.admin(['source', 'put', kiln.account.accountId, storeHost, '--username', id], {
      KILN_SOURCE_PASSWORD: keys.secret,
    });
  await put('another');
  expect(await refusal({ Url: 's3://bucket/builds/app.tar.gz' })).toMatchObject({
    status: 403,
    body: { Code: 'SourceDenied' },
  });
  await put(keys.id);
  const { build, log } = await buildOf({ Url: 's3://bucket/builds/app.tar.gz' });
  expect(build).toMatchObject({ State: 'succeeded' });
  expect(log).toContain('out of a bucket');
  expect(await refusal({ Url: 'oss://bucket/builds/app.tar.gz' })).toMatchObject({
    body: { Message: expect.stringContaining('KILN_OBJECT_STORES') },
  });
});
