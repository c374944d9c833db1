import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync, linkSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { ContextLimits } from '@kiln/domain';
import { pack } from 'tar-stream';
import { readArchive } from './archive.ts';
import { decompressed } from './decompress.ts';
import { readBlobArchive } from './blob-archive.ts';
import { openFolderStore } from './folder-store.ts';
import { contextId } from './store.ts';

const dir = mkdtempSync(join(tmpdir(), 'kiln-contexts-'));
afterAll(() => rmSync(dir, { recursive: true }));
const store = await openFolderStore(join(dir, 'store'));
const account = '10000000000000';
const limits: ContextLimits = { entries: 1000, bytes: 1 << 20 };

const read = (bytes: Buffer, given = limits) => readArchive(Readable.from([bytes]), store, account, given);
const incoming = () => readdirSync(join(dir, 'store/incoming'));

/** A tar of headers and contents, as nobody's tar would write it. */
const tarOf = async (entries: Parameters<ReturnType<typeof pack>['entry']>[0][]): Promise<Buffer> => {
  const out = pack();
  for (const it of entries) out.entry(it, it.type === undefined || it.type === 'file' ? 'content' : '');
  out.finalize();
  const chunks: Buffer[] = [];
  for await (const it of out) chunks.push(it as Buffer);
  return Buffer.concat(chunks);
};

const tree = join(dir, 'tree');
mkdirSync(join(tree, 'src/empty'), { recursive: true });
writeFileSync(join(tree, 'run.sh'), '#!/bin/sh\n');
chmodSync(join(tree, 'run.sh'), 0o4755);
writeFileSync(join(tree, `src/${'long-'.repeat(40)}é`), 'x'.repeat(70_000));
linkSync(join(tree, 'run.sh'), join(tree, 'src/again.sh'));
symlinkSync('/usr/bin/python3', join(tree, 'python'));
const tar = (...options: string[]) => execFileSync('tar', [...options, '-C', tree, '-c', '.'], { maxBuffer: 1 << 24 });

it('makes the same context of a tree, however its archive is written', async () => {
  const entries = await read(tar());
  expect(entries).toMatchObject([
    { path: 'python', type: 'link', target: '/usr/bin/python3' },
    { path: 'run.sh', type: 'file', mode: 0o755, size: 10 },
    { path: 'src', type: 'folder', mode: 0o755 },
    { path: 'src/again.sh', type: 'file', mode: 0o755, size: 10 },
    { path: 'src/empty', type: 'folder' },
    { path: `src/${'long-'.repeat(40)}é`, type: 'file', size: 70_000 },
  ]);
  const id = contextId(entries);
  for (const format of ['gnu', 'pax', 'posix'])
    expect(contextId(await read(tar('--format', format, '--sort', 'name', '--mtime', '@7')))).toBe(id);
  expect(contextId(await read(gzipSync(tar())))).toBe(id);
  const bytes = Buffer.concat(
    (await store.read(account, (entries[1] as { sha256: string }).sha256).toArray()) as Buffer[],
  );
  expect(bytes.toString()).toBe('#!/bin/sh\n');
  expect(incoming()).toEqual([]);
});

// Made by zstd of a tar with a/b.txt.
const packedWithZstd =
  'KLUv/WQAJw0DAOIDDRGg7YCJP50HgLDh2IUaP2dWCgaNMbWevn6YUszGDen8QyARvK05Zzq0D9qaJmrOrXpuEQIQIHArLJYD9gFvwKrWXeHgSaOhShwDUPQcCmMAaP+v090KcMCgAebTcgPRkwfM';
it('unpacks zstd', async () => {
  expect(await read(Buffer.from(packedWithZstd, 'base64'))).toMatchObject([
    { path: 'a', type: 'folder' },
    { path: 'a/b.txt', type: 'file', size: 6 },
  ]);
});

it.each([
  ['a path that leads out', [{ name: '../etc/passwd' }], /"\.\.\/etc\/passwd" is not a path within the context/],
  ['a path that leads out further down', [{ name: 'a/../../b' }], /is not a path within/],
  ['a device', [{ name: 'sda', type: 'block-device' as const }], /"sda" is a block-device/],
  ['a pipe', [{ name: 'p', type: 'fifo' as const }], /"p" is a fifo/],
  ['a hard link out', [{ name: 'h', type: 'link' as const, linkname: '/etc/passwd' }], /hard link to what is no file/],
  [
    'a file below a link',
    [{ name: 'l', type: 'symlink' as const, linkname: '/etc' }, { name: 'l/passwd' }],
    /"l\/passwd" lies below "l", which is a link/,
  ],
  ['a name that is too long', [{ name: 'n'.repeat(300) }], /has a name of more than 255 bytes/],
  ['too deep', [{ name: 'd/'.repeat(120) + 'f' }], /more than 100 folders deep/],
])('refuses %s', async (_name, entries, message) => {
  await expect(read(await tarOf(entries))).rejects.toThrow(message);
  expect(incoming()).toEqual([]);
});

it('takes an absolute path as tar does not: it is refused', async () => {
  await expect(read(await tarOf([{ name: '/etc/passwd' }]))).rejects.toThrow(/is not a path within the context/);
});

it('refuses more than may be, and names the largest files as an ignore file would', async () => {
  const big = join(dir, 'big');
  mkdirSync(join(big, 'data'), { recursive: true });
  writeFileSync(join(big, 'data/[a].bin'), Buffer.alloc(900_000));
  writeFileSync(join(big, 'small'), Buffer.alloc(200_000));
  const bytes = execFileSync('tar', ['-C', big, '-c', 'data', 'small'], { maxBuffer: 1 << 24 });
  await expect(read(bytes)).rejects.toThrow(/more than 1\.0 MiB.*\ndata\/\\\[a\\\]\.bin {3}# 0\.9 MiB\nsmall/s);
  await expect(read(tar(), { entries: 3, bytes: 1 << 20 })).rejects.toThrow(/more than 3 files and folders/);
  // Ten thousand times as large as it came.
  const bomb = gzipSync(await tarOf([{ name: 'a' }]).then((it) => Buffer.concat([it.subarray(0, 0), bombTar()])));
  await expect(read(bomb)).rejects.toThrow(/more than 1\.0 MiB/);
  expect(incoming()).toEqual([]);
});

function bombTar(): Buffer {
  const zeros = join(dir, 'zeros');
  mkdirSync(zeros);
  writeFileSync(join(zeros, 'zeros'), Buffer.alloc(50 << 20));
  return execFileSync('tar', ['-C', zeros, '-c', 'zeros'], { maxBuffer: 1 << 27 });
}

it.each([
  ['bytes that are no tar', Buffer.from('x'.repeat(2000)), /no whole tar/],
  [
    'a damaged gzip',
    Buffer.concat([gzipSync('x'.repeat(9000)).subarray(0, 20), Buffer.alloc(40)]),
    /cannot be unpacked/,
  ],
  ['a tar that breaks off', tar().subarray(0, 3000), /no whole tar/],
])('refuses %s', async (_name, bytes, message) => {
  await expect(read(bytes)).rejects.toThrow(message);
  expect(incoming()).toEqual([]);
});

it('takes of files by their digests those that are missing, and no other bytes under their name', async () => {
  const entries = await read(tar());
  const files = entries.flatMap((it) => (it.type === 'file' ? [it] : []));
  const other = '20000000000000';
  // What another account has is not there.
  expect(await store.missing(other, files)).toEqual(files.map((it) => it.sha256));
  expect(await store.missing(account, files)).toEqual([]);
  const [script] = files;
  if (!script) throw new Error('no file');
  const wanted = new Map([[script.sha256, script.size]]);
  const give = async (name: string, content: string) => {
    const out = pack();
    out.entry({ name }, content);
    out.finalize();
    return readBlobArchive(out as unknown as AsyncIterable<Buffer>, store, other, wanted);
  };
  await expect(give(script.sha256, '#!/bin/zsh')).rejects.toThrow(/has other bytes/);
  await expect(give('0'.repeat(64), 'x')).rejects.toThrow(/no file that is missing/);
  expect(await give(script.sha256, '#!/bin/sh\n')).toBe(1);
  expect(await store.missing(other, [script])).toEqual([]);
});

it('refuses zstd that wants gigabytes at once, however its header comes', async () => {
  const greedy = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8]), Buffer.alloc(100)]);
  for (const step of [1, 6, 106]) {
    const chunks = Array.from({ length: Math.ceil(106 / step) }, (_, n) => greedy.subarray(n * step, (n + 1) * step));
    const reading = async () => {
      for await (const it of decompressed(Readable.from(chunks))) expect(it.length).toBeGreaterThan(0);
    };
    await expect(reading()).rejects.toThrow(/wants .* bytes at once/);
  }
});
