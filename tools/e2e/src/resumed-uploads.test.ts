import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import * as tus from 'tus-js-client';

let kiln: TestKiln;
const dir = mkdtempSync(join(tmpdir(), 'kiln-e2e-'));
beforeAll(async () => {
  kiln = await openTestKiln({
    env: { KILN_CONTEXT_BYTES: String(64 << 20), KILN_CONTEXT_ACCOUNT_BYTES: String(150 << 20) },
  });
});
afterAll(async () => {
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

const uploads = '/api/v1/contexts/uploads';
const call = async (method: string, path: string, headers: Record<string, string> = {}, body?: Buffer) => {
  const answer = await fetch(`${kiln.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${kiln.account.token}`, 'tus-resumable': '1.0.0', ...headers },
    ...(body ? { body: new Uint8Array(body) } : {}),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text ? JSON.parse(text) : undefined };
};
const begin = async (length: number) => {
  const { status, headers } = await call('POST', uploads, { 'upload-length': String(length) });
  expect(status).toBe(201);
  return headers.get('location') ?? '';
};
const send = (at: string, offset: number, bytes: Buffer) =>
  call('PATCH', at, { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, bytes);

/** A proxy that cuts its first connection after so many bytes of a request, and counts those of each. */
async function cuttingProxy(afterBytes: number): Promise<{ url: string; sent(): number[]; close(): void }> {
  const counts: number[] = [];
  const target = new URL(kiln.url);
  const sockets = new Set<Socket>();
  let cut = false;
  const server = createServer((from) => {
    const n = counts.push(0) - 1;
    const to = connect(Number(target.port), target.hostname);
    for (const it of [from, to])
      sockets.add(it.on('error', () => undefined).on('close', () => (from.destroy(), to.destroy())));
    from.on('data', (chunk: Buffer) => {
      counts[n] = (counts[n] ?? 0) + chunk.length;
      if (!cut && (counts[n] ?? 0) > afterBytes) {
        cut = true;
        from.destroy();
        to.end();
        return;
      }
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    to.pipe(from);
  });
  const port = await freePort();
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${port}`,
    sent: () => counts,
    close: () => {
      for (const it of sockets) it.destroy();
      server.close();
    },
  };
}

it('goes on where an upload was cut, with tus’s own client: a cut at 90 % sends 10 %', async () => {
  writeFileSync(join(dir, 'Dockerfile'), `FROM ${kiln.base}\nCOPY data /data\nRUN test $(wc -c < /data) = 20971520\n`);
  writeFileSync(join(dir, 'data'), randomBytes(20 << 20));
  const tar = execFileSync('tar', ['-C', dir, '-c', 'Dockerfile', 'data'], { maxBuffer: 1 << 28 });
  const proxy = await cuttingProxy(Math.floor(tar.length * 0.9));
  const id = await new Promise<string>((done, fail) => {
    const upload = new tus.Upload(tar, {
      endpoint: `${proxy.url}${uploads}`,
      headers: { authorization: `Bearer ${kiln.account.token}` },
      retryDelays: [100, 300, 1000],
      onError: fail,
      onSuccess: () => done(upload.url?.split('/').pop() ?? ''),
    });
    upload.start();
  });
  const [all, first = 0] = [proxy.sent().reduce((sum, it) => sum + it, 0), Math.max(...proxy.sent())];
  proxy.close();
  expect(first).toBeGreaterThan(tar.length * 0.89);
  // What was under way at the cut may be lost.
  expect(all).toBeLessThan(tar.length * 1.08);
  const made = await call('POST', `/api/v1/contexts?UploadId=${id}`);
  expect(made).toMatchObject({ status: 201, body: { Files: 2 } });
  const body = kiln.buildRequest('', { config: { Context: { Type: 'Upload', Id: made.body.Id } } });
  delete (body['BuildConfig'] as Record<string, unknown>)['Dockerfile'];
  const { ImageBuildId } = await kiln.submit(body);
  expect((await kiln.ended(ImageBuildId)).State).toBe('succeeded');
  // It is a context now, and no upload.
  expect((await call('HEAD', `${uploads}/${id}`)).status).toBe(404);
  expect(await call('POST', `/api/v1/contexts?UploadId=${id}`)).toMatchObject({
    status: 404,
    body: { Code: 'UploadNotFound' },
  });
});

it('takes pieces in their order only, and tells how far it is', async () => {
  const at = await begin(10);
  expect(at).toMatch(/^\/api\/v1\/contexts\/uploads\/[0-9]+-[0-9a-f]{32}$/);
  expect((await send(at, 0, Buffer.from('01234'))).status).toBe(204);
  const head = await call('HEAD', at);
  expect([head.status, head.headers.get('upload-offset'), head.headers.get('upload-length')]).toEqual([200, '5', '10']);
  expect(await send(at, 3, Buffer.from('34567'))).toMatchObject({
    status: 409,
    body: { Code: 'UploadConflict', Message: expect.stringContaining('HEAD') as string },
  });
  const id = at.split('/').pop() ?? '';
  expect(await call('POST', `/api/v1/contexts?UploadId=${id}`)).toMatchObject({
    status: 409,
    body: { Message: 'of the upload’s 10 bytes, 5 have come'.replace('’', "'") },
  });
  expect((await send(at, 5, Buffer.from('56789more'))).status).toBe(413);
  expect((await call('DELETE', at)).status).toBe(204);
  expect((await call('HEAD', at)).status).toBe(404);
});

it('tells in Kiln’s own words what it does not take, and lets nobody see another account’s', async () => {
  expect(await call('POST', uploads)).toMatchObject({ status: 400, body: { Code: 'InvalidParameter' } });
  expect(await call('POST', uploads, { 'upload-defer-length': '1' })).toMatchObject({ status: 400 });
  expect(await call('POST', uploads, { 'upload-length': String(65 << 20) })).toMatchObject({
    status: 413,
    body: { Code: 'ContextTooLarge' },
  });
  const made = await Promise.all([1, 2, 3].map(() => call('POST', uploads, { 'upload-length': String(60 << 20) })));
  expect(made.map((it) => it.status).sort()).toEqual([201, 201, 413]);
  const at = made.find((it) => it.status === 201)?.headers.get('location') ?? '';
  await kiln.admin(['create', 'account', 'other']);
  const other = await kiln.admin(['create', 'token', 'other']);
  for (const method of ['HEAD', 'DELETE'])
    expect((await call(method, at, { authorization: `Bearer ${String(other['token'])}` })).status).toBe(404);
  expect((await call('HEAD', `${uploads}/..%2f..%2fetc`)).status).toBe(404);
  expect((await call('HEAD', at)).status).toBe(200);
  // No archive: said, and the upload stays until it is deleted or its day is over.
  const odd = await begin(5);
  await send(odd, 0, Buffer.from('hello'));
  expect(await call('POST', `/api/v1/contexts?UploadId=${odd.split('/').pop() ?? ''}`)).toMatchObject({
    status: 400,
    body: { Code: 'ContextInvalid' },
  });
});
