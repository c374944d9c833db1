import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { contextId } from '@kiln/contexts';
import { type ContextEntry, canonicalEntries, writeEntries } from '@kiln/domain';
import { openSignedClient } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
const dir = mkdtempSync(join(tmpdir(), 'kiln-e2e-'));
beforeAll(async () => {
  kiln = await openTestKiln({ env: { KILN_CONTEXT_BYTES: String(20 << 20), KILN_CONTEXT_FILES: '500' } });
});
afterAll(async () => {
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const call = async (method: string, path: string, body?: Buffer | string, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${kiln.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${kiln.account.token}`, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as any };
};
const tar = { 'content-type': 'application/x-tar' };

/** A folder with these files, and the tar of it. */
function folder(name: string, files: Record<string, string>): { path: string; tar: Buffer } {
  const path = join(dir, name);
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(path, file, '..'), { recursive: true });
    writeFileSync(join(path, file), content);
  }
  return { path, tar: execFileSync('tar', ['-C', path, '-c', '.'], { maxBuffer: 1 << 28 }) };
}
const buildOf = async (context: object, config: object = {}, dockerfile?: string) => {
  const body = kiln.buildRequest(dockerfile ?? '', { config: { Context: context, ...config } });
  if (dockerfile === undefined) delete (body['BuildConfig'] as Record<string, unknown>)['Dockerfile'];
  const { ImageBuildId } = await kiln.submit(body);
  return { build: await kiln.ended(ImageBuildId), log: await kiln.logs(ImageBuildId) };
};

it('builds a folder that came as an archive, with its Dockerfile, its ignore file, links and modes', async () => {
  const app = folder('app', {
    Dockerfile: `ARG BASE\nFROM \${BASE} AS first\nARG WHO=nobody\nRUN echo $WHO > /who\nCOPY . /app/\nFROM first\nRUN test "$(cat /who)" = somebody && cat /app/src/main.txt && /app/run.sh && test -L /app/link && test "$(readlink /app/link)" = /etc/hostname && test ! -e /app/secret.env && test ! -e /app/node_modules && test -d /app/empty\n`,
    '.dockerignore': '*.env\nnode_modules\n!keep.env\n',
    'src/main.txt': 'this is main\n',
    'run.sh': '#!/bin/sh\necho it runs\n',
    'secret.env': 'secret',
    'keep.env': 'keep',
    'node_modules/a/index.js': 'x',
  });
  execFileSync('chmod', ['755', join(app.path, 'run.sh')]);
  mkdirSync(join(app.path, 'empty'));
  symlinkSync('/etc/hostname', join(app.path, 'link'));
  const bytes = gzipSync(execFileSync('tar', ['-C', app.path, '-c', '.']));
  const digest = `sha256:${sha256(bytes)}`;
  const created = await call('POST', `/api/v1/contexts?Digest=${digest}`, bytes, {
    'content-type': 'application/gzip',
  });
  expect(created).toMatchObject({ status: 201, body: { Files: 12, Id: expect.stringMatching(/^sha256:/) as string } });
  // What is there need not come again; nobody looks at the body.
  expect(await call('POST', `/api/v1/contexts?Digest=${digest}`, '', tar)).toMatchObject({
    status: 200,
    body: { Id: created.body.Id },
  });
  const { build, log } = await buildOf(
    { Type: 'Upload', Id: created.body.Id },
    { BuildArgs: { BASE: kiln.base, WHO: 'somebody' } },
  );
  expect({ state: build.State, error: build.Error }).toEqual({ state: 'succeeded', error: undefined });
  expect(log).toContain('this is main');
  expect(log).toContain('it runs');
  expect(log).toMatch(/\.dockerignore leaves out 4 of 12 files and folders/);
  expect(build.Request.BuildConfig).toMatchObject({
    Context: { Type: 'Upload', Id: created.body.Id, Dockerfile: 'Dockerfile' },
    BuildArgs: { WHO: 'somebody' },
  });

  const shown = await call('GET', `/api/v1/contexts/${created.body.Id}`);
  expect(shown.body.Entries).toContainEqual({ Path: 'link', Type: 'link', Target: '/etc/hostname' });
  // Of a name that is no Dockerfile's, the plain ignore file counts.
  const { body } = await call('GET', `/api/v1/contexts/${created.body.Id}?Order=size&Limit=9&Dockerfile=Any`);
  expect(body.Ignored).toEqual({ File: '.dockerignore', Files: 4, Bytes: 7 });
  expect(body.Entries[0]).toMatchObject({ Path: 'Dockerfile', Type: 'file' });
  expect(body.Entries).toContainEqual({ Path: 'secret.env', Type: 'file', Size: 6, LeftOut: true });
  expect((await call('GET', `/api/v1/contexts/${created.body.Id}?SubPath=src`)).body.Entries).toEqual([
    { Path: 'main.txt', Type: 'file', Size: 13 },
  ]);
  expect((await call('GET', '/api/v1/contexts')).body.Contexts).toMatchObject([{ Id: created.body.Id }]);
});

it('sends only the files that are missing, and builds from a folder below, another Dockerfile and stage', async () => {
  const big = randomBytes(4 << 20).toString('latin1');
  const files: Record<string, string> = {
    'services/api/other.Dockerfile': `FROM ${kiln.base} AS one\nCOPY data.bin /data\nRUN wc -c < /data\nFROM one AS two\nRUN false\n`,
    'services/api/data.bin': big,
    'services/api/other.Dockerfile.dockerignore': 'left-out\n',
    'services/api/left-out/file': 'left out',
    'services/other/file': 'y',
  };
  const tree = folder('plan', files);
  const entriesOf = (): ContextEntry[] =>
    canonicalEntries(
      Object.keys(files).map((path) => {
        const bytes = readFileSync(join(tree.path, path));
        return { path, type: 'file', mode: 0o644, size: bytes.length, sha256: sha256(bytes) };
      }),
    );
  const plan = () => call('POST', '/api/v1/contexts/plan', gzipSync(writeEntries(entriesOf())));
  const send = (id: string, missing: string[]) => {
    const out = mkdtempSync(join(dir, 'missing-'));
    for (const path of Object.keys(files)) {
      const bytes = readFileSync(join(tree.path, path));
      if (missing.includes(sha256(bytes))) writeFileSync(join(out, sha256(bytes)), bytes);
    }
    const archive = execFileSync('tar', ['-C', out, '-c', ...missing], { maxBuffer: 1 << 28 });
    return call('POST', `/api/v1/contexts/${id}/files`, archive, tar).then((it) => ({ ...it, sent: archive.length }));
  };
  const first = await plan();
  expect(first.body.Id).toBe(contextId(entriesOf()));
  expect(first.body.Missing).toHaveLength(5);
  // Not there before all of it is there.
  expect((await call('GET', `/api/v1/contexts/${first.body.Id}`)).status).toBe(404);
  const [one = '', ...others] = first.body.Missing as string[];
  expect((await send(first.body.Id, [one])).body.Missing).toEqual(others);
  expect((await send(first.body.Id, others)).body).toMatchObject({ Missing: [], Bytes: expect.any(Number) as number });
  expect((await plan()).body.Missing).toEqual([]);

  writeFileSync(join(tree.path, 'services/other/file'), 'z'.repeat(50_000));
  const second = await plan();
  expect(second.body.Missing).toHaveLength(1);
  const { sent } = await send(second.body.Id, second.body.Missing);
  expect(sent).toBeLessThan(1.25 * 50_000);

  const { build, log } = await buildOf(
    { Type: 'Upload', Id: second.body.Id, SubPath: 'services/api', Dockerfile: 'other.Dockerfile' },
    { Target: 'one', NoCache: true },
  );
  expect(build.State).toBe('succeeded');
  expect(log).toContain(String(Buffer.byteLength(big)));
  expect(log).toContain('other.Dockerfile.dockerignore leaves out 2 of 5');
  const again = await kiln.pai('POST', `/api/v1/imagebuilds/${build.ImageBuildId}/rerun`, {
    body: { Image: { Name: `${build.ImageName}-again`, Uri: `${build.ImageUri}-again` } },
  });
  const ended = await kiln.ended(again.body.ImageBuildId);
  expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
});

it('gives a failing COPY its line, and an account nothing of another one', async () => {
  const { body } = await call('POST', '/api/v1/contexts', folder('small', { a: '1' }).tar, tar);
  const failed = await buildOf({ Type: 'Upload', Id: body.Id }, {}, `FROM ${kiln.base}\nCOPY nothing /x\n`);
  expect(failed.build).toMatchObject({
    State: 'failed',
    Error: { Class: 'user', Message: expect.stringContaining('line 2') as string },
  });

  await kiln.admin(['create', 'account', 'other']);
  const other = openSignedClient(kiln.url, await kiln.admin(['create', 'key', 'other']));
  expect(await other.pai('GET', `/api/v1/contexts/${body.Id}`)).toMatchObject({ status: 404 });
  const token = (await kiln.admin(['create', 'token', 'other'])).token as string;
  const list = writeEntries([{ path: 'a', type: 'file', mode: 0o644, size: 1, sha256: sha256('1') }]);
  const planned = await call('POST', '/api/v1/contexts/plan', list, {
    authorization: `Bearer ${token}`,
    'content-type': 'application/x-ndjson',
  });
  expect(planned.body.Missing).toEqual([sha256('1')]);
});

it.each([
  [
    'no such context',
    { Context: { Type: 'Upload', Id: `sha256:${'0'.repeat(64)}` } },
    /BuildConfig\.Context\.Id.*no such/,
  ],
  ['an id that is none', { Context: { Type: 'Upload', Id: 'x' } }, /Context\.Id.*must be the Id/],
  ['a type that is none', { Context: { Type: 'Folder', Id: 'x' } }, /Context\.Type.*must be one of Upload/],
  ['an argument that is none', { BuildArgs: { 'a b': 'c' } }, /BuildArgs/],
  [
    'packages with files',
    { Context: { Type: 'Upload', Id: `sha256:${'0'.repeat(64)}` }, BuildType: 'PackageInstallation' },
    /needs BuildType CustomDockerfile/,
  ],
])('refuses a build with %s', async (_name, config, message) => {
  const answer = await kiln.pai('POST', '/api/v1/imagebuilds', {
    body: kiln.buildRequest(`FROM ${kiln.base}\n`, { config }),
  });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.body.Message).toMatch(message);
});

it('refuses a folder and a Dockerfile that the context has not, by name', async () => {
  const { body } = await call('POST', '/api/v1/contexts', folder('names', { 'sub/a': '1' }).tar, tar);
  const submit = (context: object) => {
    const request = kiln.buildRequest('', { config: { Context: { Type: 'Upload', Id: body.Id, ...context } } });
    delete (request['BuildConfig'] as Record<string, unknown>)['Dockerfile'];
    return kiln.pai('POST', '/api/v1/imagebuilds', { body: request });
  };
  expect((await submit({ SubPath: 'sup' })).body.Message).toMatch(/SubPath.*the context has no folder sup/);
  expect((await submit({})).body.Message).toMatch(/Context\.Dockerfile.*the context has no Dockerfile/);
  expect((await submit({ Dockerfile: 'sub' })).body.Message).toMatch(/sub is a folder/);
});

it.each([
  ['a tar that leads out', () => hostile('../x'), 400, /not a path within/],
  ['no tar', () => Buffer.from('hello'.repeat(1000)), 400, /no whole tar/],
  [
    'too many bytes',
    () => folder('large', { 'data/large.bin': 'x'.repeat(21 << 20) }).tar,
    413,
    /data\/large\.bin {3}# 21\.0 MiB/,
  ],
  [
    'too many files',
    () => folder('many', Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`f${n}`, 'x']))).tar,
    413,
    /more than 500/,
  ],
])('refuses %s, keeps nothing, and says why', async (_name, make, status, message) => {
  const before = (await call('GET', '/api/v1/contexts')).body.Contexts;
  const bytes = make();
  const begun = performance.now();
  const answer = await call('POST', '/api/v1/contexts', bytes, tar);
  // A sender is let go on, and not made to wait.
  expect(performance.now() - begun).toBeLessThan(20_000);
  expect({ status: answer.status, message: answer.body.Message }).toEqual({
    status,
    message: expect.stringMatching(message) as string,
  });
  expect((await call('GET', '/api/v1/contexts')).body.Contexts).toEqual(before);
});

/** A tar with a name that tar itself would not write. */
function hostile(name: string): Buffer {
  const path = join(dir, 'hostile');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'x'), 'x');
  return execFileSync('tar', ['-C', path, '--transform', `s|.*|${name}|`, '-P', '-c', 'x']);
}

it('applies an ignore file that is made to be slow without holding up other builds, or refuses it', async () => {
  const nasty = Array.from({ length: 45 }, (_, n) => `**/${'a*'.repeat(40)}${n}`).join('\n');
  const files = Object.fromEntries(
    Array.from({ length: 400 }, (_, n) => [`${'a'.repeat(200)}/${'a'.repeat(200)}${n}`, 'x']),
  );
  const { tar: bytes } = folder('nasty', {
    Dockerfile: `FROM ${kiln.base}\nCOPY . /\n`,
    '.dockerignore': nasty,
    ...files,
  });
  const { body } = await call('POST', '/api/v1/contexts', bytes, tar);
  const slow = buildOf({ Type: 'Upload', Id: body.Id });
  const quick = await kiln.ended((await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN true\n`))).ImageBuildId);
  expect({ state: quick.State, attempt: quick.Attempt }).toEqual({ state: 'succeeded', attempt: 1 });
  const { build } = await slow;
  expect([build.Attempt, build.State === 'succeeded' || build.Error.Message.includes('too many patterns')]).toEqual([
    1,
    true,
  ]);
});

it('takes nothing from a stranger', async () => {
  const answer = await fetch(`${kiln.url}/api/v1/contexts`, { method: 'POST', body: new Uint8Array(1 << 20) });
  expect(answer.status).toBe(400);
  expect(statSync(join(kiln.env['KILN_CONTEXT_DIR'] ?? '', 'incoming')).isDirectory()).toBe(true);
});

it('builds what is in the files now, also where only their content has changed, and not their size', async () => {
  for (const words of ['one word', 'two word', 'one word']) {
    const { tar: archive } = folder('same-size', { 'a.txt': words, 'b/a.txt': words.toUpperCase() });
    const { body } = await call('POST', '/api/v1/contexts', archive, tar);
    const look = `FROM ${kiln.base}\nCOPY . /x/\nRUN test "$(cat /x/a.txt)" = "${words}" && echo ${words} > /y\n`;
    expect((await buildOf({ Type: 'Upload', Id: body.Id }, {}, look)).build.State).toBe('succeeded');
    const below = `FROM ${kiln.base}\nCOPY . /x/\nRUN test "$(cat /x/a.txt)" = "${words.toUpperCase()}"\n`;
    expect((await buildOf({ Type: 'Upload', Id: body.Id, SubPath: 'b' }, {}, below)).build.State).toBe('succeeded');
  }
});
