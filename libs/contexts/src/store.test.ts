import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { canonicalEntries, type ContextEntry } from '@kiln/domain';
import S3rver from 's3rver';
import { type ContextStore, contextId } from './store.ts';
import { openContextStore } from './open-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'kiln-store-'));
let server: S3rver;
let endpoint = '';
beforeAll(async () => {
  // s3rver's own keys.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' });
  server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(dir, 'bucket'),
    configureBuckets: [{ name: 'contexts', configs: [] }],
  });
  endpoint = `http://127.0.0.1:${(await server.run()).port}#eu-1`;
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const open = {
  folder: async () => (await openContextStore({ KILN_CONTEXT_DIR: join(dir, 'folder') })) as ContextStore,
  bucket: async () =>
    (await openContextStore({
      KILN_CONTEXT_BUCKET: 'contexts/kiln/one',
      KILN_CONTEXT_ENDPOINT: endpoint,
    })) as ContextStore,
};

/** As if all that an account has had come two hours ago. */
const makeOld = (account: string) =>
  execFileSync('bash', ['-c', `find ${dir} -path '*/${account}/*' -type f -exec touch -d '2 hours ago' {} +`]);
/** s3rver leaves the time of an object that is copied onto itself as it was; S3 does not. */
const asS3Does = (account: string) =>
  execFileSync('bash', [
    '-c',
    `for it in $(find ${dir}/bucket -path '*/${account}/*_metadata.json' -newermt '1 hour ago'); do
      touch "\${it%_metadata.json}_object"; done`,
  ]);

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
const fileOf = (path: string, content: string | Buffer): Extract<ContextEntry, { type: 'file' }> => ({
  path,
  type: 'file',
  mode: 0o644,
  size: content.length,
  sha256: sha256(content),
});

describe.each(['folder', 'bucket'] as const)('a %s', (kind) => {
  let store: ContextStore;
  beforeAll(async () => {
    store = await open[kind]();
  });

  async function keep(account: string, contents: (string | Buffer)[]): Promise<void> {
    const files = store.write(account);
    for (const it of contents)
      expect(await files.put(Readable.from([Buffer.from(it)]), 10 << 20)).toEqual({
        sha256: sha256(it),
        size: it.length,
      });
    await files.done();
  }

  it('keeps small files and large ones, each once, and shows an account what is its own', async () => {
    const [one, two] = ['10000000000000', '20000000000000'];
    const large = Buffer.alloc(3 << 20, 'kiln');
    const contents = ['', 'x', large, ...Array.from({ length: 200 }, (_, n) => `file ${n}`)];
    await keep(one, contents);
    await keep(one, contents);
    const files = contents.map((it, n) => fileOf(`${n}`, it));
    expect(await store.missing(one, files)).toEqual([]);
    expect((await store.missing(two, files)).sort()).toEqual(files.map((it) => it.sha256).sort());
    expect(await buffer(store.read(one, sha256(large)))).toEqual(large);
    expect(await buffer(store.read(one, sha256('')))).toEqual(Buffer.alloc(0));
    await expect(buffer(store.read(two, sha256('x')))).rejects.toThrow();
    await expect(store.missing('../10000000000000', files)).rejects.toThrow(/no account's id/);
    const bytes = contents.reduce((sum, it) => sum + it.length, 0);
    expect(await (await open[kind]()).usage(one)).toBe(bytes);
    expect(await store.usage(two)).toBe(0);
    expect(await store.accounts()).toContain(one);
  });

  it('refuses a file with more bytes than it may have, and keeps nothing of it', async () => {
    const account = '30000000000000';
    const files = store.write(account);
    await expect(files.put(Readable.from([Buffer.alloc(600 << 10)]), 500 << 10)).rejects.toMatchObject({
      code: 'ContextTooLarge',
    });
    await files.done();
    expect(await store.usage(account)).toBe(0);
  });

  it('keeps lists of entries', async () => {
    const account = '40000000000000';
    const entries = canonicalEntries([fileOf('é/a b', 'x'), { path: 'link', type: 'link', target: '/a' }]);
    const id = await store.putEntries(account, entries);
    expect(id).toBe(contextId(entries));
    expect(await store.entries(account, id)).toEqual(entries);
    for (const other of [`sha256:${'0'.repeat(64)}`, 'sha256:../../x'])
      await expect(store.entries(account, other)).rejects.toMatchObject({ code: 'ContextNotFound' });
    await expect(store.entries('50000000000000', id)).rejects.toMatchObject({ code: 'ContextNotFound' });
  });

  it('forgets what belongs to no context, and nothing of the last hour', async () => {
    const account = '60000000000000';
    const files = ['a', 'b'].map((it) => fileOf(it, it));
    await keep(account, ['a', 'b', 'alone']);
    const id = await store.putEntries(account, files);
    await store.collect(account, new Set());
    expect(await store.entries(account, id)).toEqual(files);
    makeOld(account);
    await store.collect(account, new Set([id]));
    expect(await store.missing(account, [...files, fileOf('alone', 'alone')])).toHaveLength(kind === 'folder' ? 1 : 0);
    makeOld(account);
    // What is looked for stays.
    expect(await store.missing(account, [fileOf('a', 'a')])).toEqual([]);
    asS3Does(account);
    await store.collect(account, new Set());
    await expect(store.entries(account, id)).rejects.toThrow(/not kept any more/);
    expect(await store.missing(account, files)).toEqual([sha256('b')]);
    expect(await store.usage(account)).toBe(1);
  });
});

it('says what is wrong with a bucket, when it is opened and later', async () => {
  const settings = { KILN_CONTEXT_BUCKET: 'nowhere', KILN_CONTEXT_ENDPOINT: endpoint };
  await expect(openContextStore(settings)).rejects.toThrow(/bucket nowhere cannot be used/);
  await expect(openContextStore({ ...settings, KILN_CONTEXT_DIR: dir })).rejects.toThrow(/both set/);
  expect(await openContextStore({})).toBeUndefined();
  const other = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(dir, 'other'),
    configureBuckets: [{ name: 'contexts', configs: [] }],
  });
  const { port } = await other.run();
  const store = await openContextStore({
    KILN_CONTEXT_BUCKET: 'contexts',
    KILN_CONTEXT_ENDPOINT: `http://127.0.0.1:${port}`,
  });
  await other.close();
  await expect(store?.entries('10000000000000', `sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({
    code: 'ServiceUnavailable',
  });
  const files = store?.write('10000000000000');
  await files?.put(Readable.from([Buffer.from('x')]), 10);
  await expect(files?.done()).rejects.toMatchObject({ code: 'ServiceUnavailable' });
});

// Only root can give a file away.
(process.getuid?.() === 0 ? it : it.skip)(
  'a folder of another user stays that user’s, whatever root writes to it',
  async () => {
    const shared = join(dir, 'shared');
    mkdirSync(shared);
    chownSync(shared, 10_001, 10_001);
    const store = (await openContextStore({ KILN_CONTEXT_DIR: shared })) as ContextStore;
    const files = store.write('42');
    for (const it of ['small', 'x'.repeat(2 << 20)]) await files.put(Readable.from([Buffer.from(it)]), 10 << 20);
    await files.done();
    await store.putEntries('42', canonicalEntries([fileOf('a', 'small')]));
    const others = execFileSync('find', [shared, '!', '-uid', '10001']).toString();
    expect(others).toBe('');
    expect(execFileSync('find', [shared, '-type', 'f']).toString().trim().split('\n')).toHaveLength(3);
  },
);
