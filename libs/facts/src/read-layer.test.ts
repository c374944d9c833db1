import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { type ImageLayer, inspect, type LayerFacts } from '@kiln/domain';
import { readLayer } from './read-layer.ts';

const dir = mkdtempSync(join(tmpdir(), 'kiln-facts-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** A program of Go's that is built with modules, as Debian's are not. */
const require = createRequire(import.meta.url);
const goProgram = join(dirname(require.resolve(`@esbuild/linux-${process.arch}/package.json`)), 'bin/esbuild');

let n = 0;
/** A tar by GNU tar, of files that are text, fixtures (`NAME.gz`), links (`-> target`) or have a mode (`755:text`). */
function tarOf(files: Record<string, string>): Buffer {
  const root = join(dir, String(n++));
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), file);
    else if (path.endsWith('/')) mkdirSync(file, { recursive: true });
    else {
      const mode = /^([0-7]{3,4}):/.exec(text);
      if (text === 'elf') copyFileSync('/bin/true', file);
      else if (text === 'go') copyFileSync(goProgram, file);
      else if (text.endsWith('.gz'))
        writeFileSync(file, gunzipSync(readFileSync(join(import.meta.dirname, 'testing', text))), { mode: 0o755 });
      else writeFileSync(file, mode ? text.slice(mode[0].length) : text, text.startsWith('PK') ? 'latin1' : 'utf8');
      if (mode) chmodSync(file, Number.parseInt(mode[1] ?? '', 8));
    }
  }
  return execFileSync('tar', ['-C', root, '-c', '--owner=0', '--group=0', '.'], { maxBuffer: 1 << 28 });
}
/** A zip of empty files, as latin1. */
function zipOf(names: readonly string[]): string {
  const record = (mark: number, bytes: number, fields: [at: number, value: number][], name = '') => {
    const head = Buffer.alloc(bytes);
    head.writeUInt32LE(mark);
    for (const [at, value] of fields)
      if (at === 12 || at === 16) head.writeUInt32LE(value, at);
      else head.writeUInt16LE(value, at);
    return head.toString('latin1') + name;
  };
  const files = names.map((it) => record(0x04034b50, 30, [[26, it.length]], it)).join('');
  const list = names.map((it) => record(0x02014b50, 46, [[28, it.length]], it)).join('');
  const count = names.length;
  return (
    files +
    list +
    record(0x06054b50, 22, [
      [8, count],
      [10, count],
      [12, list.length],
      [16, files.length],
    ])
  );
}
const read = (tar: Buffer, mediaType = 'application/vnd.oci.image.layer.v1.tar'): Promise<LayerFacts> =>
  readLayer(Readable.from([tar]), mediaType);
const layer = (facts: LayerFacts): ImageLayer => ({ digest: 'sha256:0', size: 1, instruction: '', facts });
const config = { user: '', workingDir: '', entrypoint: [], cmd: [], env: [], ports: [], volumes: [], labels: {} };
const image = async (...layers: Record<string, string>[]) =>
  inspect('linux/amd64', (await Promise.all(layers.map((it) => read(tarOf(it))))).map(layer), config).facts;

const status = `Package: libc6\nStatus: install ok installed\nVersion: 2.36-9+deb12u4\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1.0\n\nPackage: bash\nStatus: install ok installed\nVersion: 5.2.15-2\n`;

it('reads what programs of Go are made of, and forgets it with them', async () => {
  const of = async (...layers: Record<string, string>[]) =>
    (await image(...layers)).packages.map((it) => `${it.type} ${it.name} ${it.version.replace(/\d.*/, '')}`);
  expect(await of({ 'usr/local/bin/tool': 'go', 'usr/bin/true': 'elf' })).toEqual([
    'go golang.org/x/sys v',
    'go stdlib ',
  ]);
  expect(await of({ 'usr/local/bin/tool': 'go' }, { 'usr/local/bin/tool': '755:#!/bin/sh' })).toEqual([]);
  expect(await of({ 'usr/local/bin/tool': 'go' }, { 'usr/local/bin/.wh.tool': '' })).toEqual([]);
});

it('reads what programs of Rust are made of, and forgets it with them', async () => {
  const of = async (...layers: Record<string, string>[]) =>
    (await image(...layers)).packages.map((it) => `${it.type} ${it.name} ${it.version}`);
  const tool = { 'usr/local/bin/tool': 'auditable-program.gz' };
  expect(await of(tool)).toEqual(['cargo kiln-demo 0.1.0', 'cargo tiny-dep 0.4.2']);
  expect(await of(tool, { 'usr/local/bin/tool': '755:#!/bin/sh' })).toEqual([]);
});

it('reads programs that come byte by byte, and keeps texts as PostgreSQL takes them', async () => {
  const list = deflateSync(JSON.stringify({ packages: [{ name: 'a\0\ud800', version: '1.0\0' }] }));
  const program = Buffer.concat([readFileSync('/bin/true').subarray(0, 64), list, Buffer.alloc(200)]);
  const root = mkdtempSync(join(dir, 'bytes-'));
  writeFileSync(join(root, 'tool'), program, { mode: 0o755 });
  const tar = execFileSync('tar', ['-C', root, '-c', 'tool']);
  const { packages } = await readLayer(
    Readable.from([...tar].map((it) => Buffer.from([it]))),
    'application/vnd.oci.image.layer.v1.tar',
  );
  expect(packages).toEqual([{ path: 'tool', type: 'cargo', packages: [['a\ufffd', '1.0']] }]);
});

it('takes the database of rpm from the highest layer that has one', async () => {
  const path = 'usr/lib/sysimage/rpm/rpmdb.sqlite';
  const of = async (...layers: Record<string, string>[]) =>
    (await image(...layers)).packages.map((it) => `${it.type} ${it.name} ${it.version} ${it.layer}`);
  const found = ['rpm kiln-plain 1.2.3-1 0', 'rpm kiln-tool 1:1.2.3-4.el9 0'];
  expect(await of({ [path]: 'rpmdb.sqlite.gz' })).toEqual(found);
  expect(await of({ [path]: 'rpmdb.sqlite.gz' }, { [path]: '' })).toEqual([]);
  expect(await of({ 'var/lib/rpm/Packages': 'Packages.gz' })).toEqual(found);
});

it('finds the system, packages of all kinds, users and frameworks, with the layer that brought each', async () => {
  const facts = await image(
    {
      'usr/lib/os-release': 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
      'etc/os-release': '-> ../usr/lib/os-release',
      'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nma-user:x:1000:100::/home/ma-user:/bin/bash\nodd line\n',
      'etc/group': 'root:x:0:\nma-group:x:100:\n',
      'var/lib/dpkg/status': status,
      'usr/lib/x86_64-linux-gnu/libc.so.6': 'x',
      'usr/bin/true': 'elf',
    },
    {
      'var/lib/dpkg/status': `${status}\nPackage: curl\nStatus: install ok installed\nVersion: 7.88.1\n`,
      'usr/local/bin/python3.11': '755:#!',
      'usr/local/include/python3.11/patchlevel.h': '#define PY_VERSION      "3.11.9"\n',
      'usr/local/lib/python3.11/site-packages/torch-2.6.0+cu124.dist-info/METADATA': 'x',
      'usr/local/lib/python3.11/site-packages/torch/version.py': `from typing import Optional\n__version__ = '2.6.0'\ncuda: Optional[str] = '12.4'\n`,
      'usr/local/lib/python3.11/site-packages/PyYAML-6.0.1.dist-info/METADATA': 'x',
      'usr/local/lib/python3.11/site-packages/old_pkg-1.0-py3.11.egg-info': 'x',
      'usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO': 'x',
      'opt/conda/conda-meta/numpy-1.26.4-py311h08b1b3b_0.json': '{}',
      'usr/lib/node_modules/npm/package.json': '{"name":"npm","version":"10.1.0"}',
      'opt/app/lib/guava-33.0.0-jre.jar': 'x',
      'lib/apk/db/installed': 'P:musl\nV:1.2.4-r2\n\nP:busybox\nV:1.36.1-r5\n',
      'usr/local/cuda-12.4/version.json': '{"cuda" : {"name" : "CUDA SDK","version" : "12.4.1"}}',
      'usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0': 'x',
    },
  );
  expect(facts.os).toEqual({ id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' });
  expect(facts.libc).toEqual({ kind: 'glibc', version: '2.36' });
  expect(facts.users[1]).toEqual({ name: 'ma-user', uid: 1000, gid: 100, home: '/home/ma-user', shell: '/bin/bash' });
  expect(facts.architectures).toEqual([{ x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64'] ?? process.arch]);
  expect(facts.packages.map((it) => `${it.type} ${it.name} ${it.version} ${it.layer}`)).toEqual([
    'pypi PyYAML 6.0.1 1',
    'deb bash 5.2.15-2 0',
    'apk busybox 1.36.1-r5 1',
    'deb curl 7.88.1 1',
    'jar guava 33.0.0-jre 1',
    'deb libc6 2.36-9+deb12u4 0',
    'apk musl 1.2.4-r2 1',
    'npm npm 10.1.0 1',
    'conda numpy 1.26.4 1',
    'pypi old_pkg 1.0 1',
    'pypi six 1.16.0 1',
    'pypi torch 2.6.0+cu124 1',
  ]);
  expect(facts.pythons).toEqual([{ path: '/usr/local/bin/python3.11', version: '3.11.9' }]);
  expect(facts.frameworks).toEqual([{ name: 'torch', version: '2.6.0+cu124', cuda: '12.4' }]);
  expect(facts.cuda).toEqual([{ version: '12.4.1', path: '/usr/local/cuda-12.4' }]);
  expect(facts.cudnn).toBe('9.1.0');
});

it('tells names and versions apart where both have figures, and reads what lies in jars', async () => {
  const of = async (files: Record<string, string>) =>
    (await image(files)).packages.map((it) => `${it.type} ${it.name} ${it.version}`);
  const names = {
    'log4j-1.2-api-2.19.0': 'log4j-1.2-api 2.19.0',
    'guava-33.0.0-jre': 'guava 33.0.0-jre',
    'jetty9-util-9.4.57': 'jetty9-util 9.4.57',
    'netty-4.1.94.Final': 'netty 4.1.94.Final',
    'app-1.0-SNAPSHOT': 'app 1.0-SNAPSHOT',
    'log4j-1.2.17-atlassian-1': 'log4j 1.2.17-atlassian-1',
    'jbossweb-7.4.8.Final-redhat-4': 'jbossweb 7.4.8.Final-redhat-4',
    'tool-3': 'tool 3',
    'spring-core-6.0.0-RC1': 'spring-core 6.0.0-RC1',
    'hadoop-client-3.3.6-1': 'hadoop-client 3.3.6-1',
    'netty-epoll-4.1.94.Final-linux-x86_64': 'netty-epoll 4.1.94.Final-linux-x86_64',
  };
  for (const [file, name] of Object.entries(names))
    expect(await of({ [`opt/${file}.jar`]: 'x' })).toEqual([`jar ${name}`]);
  expect(await of({ 'usr/share/java/spring3-core-3.x.jar': 'x', 'usr/share/java/ant-debian.jar': 'x' })).toEqual([]);
  const inner = [
    'BOOT-INF/lib/slf4j-api-2.0.9.jar',
    'BOOT-INF/lib/commons-lang3-3.14.0.jar',
    'BOOT-INF/classes/A.class',
  ];
  expect(await of({ 'opt/shop-1.0.jar': zipOf(inner) })).toEqual([
    'jar commons-lang3 3.14.0',
    'jar shop 1.0',
    'jar slf4j-api 2.0.9',
  ]);
  // It is gone with its jar.
  const both = await image({ 'opt/app.jar': zipOf(inner) }, { 'opt/app.jar': zipOf(['BOOT-INF/classes/B.class']) });
  expect(both.packages).toEqual([]);
  // A list that is longer than what is looked at of it.
  const many = Array.from({ length: 9000 }, (_, n) => `lib/${'x'.repeat(150)}${n}.class`);
  expect(await of({ 'opt/app.jar': zipOf([...inner, ...many, 'lib/late-1.0.jar']) })).toEqual(['jar late 1.0']);
  expect(await of({ 'opt/app.war': 'PK\x05\x06 and no more' })).toEqual([]);
});

it('finds packages of dpkg whose triggers are due, and of Python in any folder', async () => {
  const of = (state: string) => ({ 'var/lib/dpkg/status': `Package: a\nStatus: install ok ${state}\nVersion: 1\n` });
  for (const state of ['installed', 'triggers-pending', 'triggers-awaited', 'half-configured', 'unpacked'])
    expect((await image(of(state))).packages).toHaveLength(1);
  for (const state of ['config-files', 'not-installed', 'half-installed'])
    expect((await image(of(state))).packages).toHaveLength(0);
  const { packages } = await image({
    'var/task/boto3-1.34.0.dist-info/METADATA': 'x',
    'usr/lib/python3/dist-packages/setuptools/_vendor/wheel-0.43.0.dist-info/METADATA': 'x',
    'usr/lib/python3/dist-packages/old-2.0-py3.11.egg/EGG-INFO/PKG-INFO': 'x',
  });
  expect(packages.map((it) => `${it.name} ${it.version}`)).toEqual(['boto3 1.34.0', 'old 2.0']);
});

it('reads programs however many libraries come before, and says when a database is too large', async () => {
  const libraries = Object.fromEntries(Array.from({ length: 3100 }, (_, n) => [`opt/lib/l${n}.so`, 'elf']));
  expect((await image({ ...libraries, 'usr/local/bin/tool': 'go' })).packages).toHaveLength(2);
  const status = 'var/lib/dpkg/status';
  const large = `Package: a\nStatus: install ok installed\nVersion: 1\n\n${'\n'.repeat(32 << 20)}`;
  const facts = await image(
    { [status]: 'Package: b\nStatus: install ok installed\nVersion: 1\n' },
    { [status]: large },
  );
  expect(facts).toMatchObject({ cut: true, packages: [] });
});

it('respects what upper layers remove, empty and replace', async () => {
  const facts = await image(
    {
      'opt/v/lib/python3.11/site-packages/one-1.0.dist-info/METADATA': 'x',
      'opt/v/lib/python3.11/site-packages/two-1.0.dist-info/METADATA': 'x',
      'opt/w/lib/python3.11/site-packages/three-1.0.dist-info/METADATA': 'x',
      'opt/x/lib/python3.11/site-packages/four-1.0.dist-info/METADATA': 'x',
      'usr/bin/sudo': '4755:x',
      'root/.ssh/id_rsa': '-----BEGIN OPENSSH PRIVATE KEY-----\n',
    },
    {
      'opt/v/lib/python3.11/site-packages/.wh.one-1.0.dist-info': '',
      'opt/v/lib/python3.11/site-packages/two-1.1.dist-info/METADATA': 'x',
      'opt/w/.wh..wh..opq': '',
      'opt/w/new': 'x',
      'opt/x': 'a file now',
      'usr/bin/.wh.sudo': '',
      'root/.ssh/.wh.id_rsa': '',
    },
  );
  expect(facts.packages.map((it) => `${it.name} ${it.version}`)).toEqual(['two 1.0', 'two 1.1']);
  expect(facts.setuid).toEqual([]);
  expect(facts.secrets).toEqual([]);
});

it('names files that run as their owner, what is large, and what looks like a key, but nothing of what is in it', async () => {
  const facts = await read(
    tarOf({
      'usr/bin/passwd': '4755:x',
      'home/a/.aws/credentials': '[default]\naws_secret_access_key = abcdefgh\n',
      'home/a/empty.pem': 'no key',
      'app/server.key': '-----BEGIN RSA PRIVATE KEY-----\nsecret-bytes\n',
      'usr/lib/python3/dist-packages/x/tests/server.key': '-----BEGIN RSA PRIVATE KEY-----\n',
      'data/big': 'x'.repeat(100_000),
      'data/small': 'x',
    }),
  );
  expect(facts.secrets.sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: 'app/server.key', kind: 'private key' },
    { path: 'home/a/.aws/credentials', kind: 'AWS credentials' },
  ]);
  expect(JSON.stringify(facts)).not.toContain('secret-bytes');
  expect(facts.largest[0]).toEqual({ path: 'data/big', size: 100_000 });
  expect(facts.files).toBe(7);
  expect(facts.entries.find((it) => it.path === 'usr/bin/passwd')?.mode.toString(8)).toBe('4755');
});

// Made by zstd of a tar with etc/passwd.
const zstd = Buffer.from(
  'KLUv/QRotQMAEsUQEZB9EHxJ/eDuIu7QCuz7KkAKDuIdU7Yx1vr1a68Pfk4ixZyTnr6XVVTOE4R8OAyHcEyp9RAswze7o+B/knr/' +
    'V+9DBBMgIGm2xWLigeEHUE4rAGCq2WH2SFNJo+oO4R9wMmNRMHaA7P99uqsCNmApwHzibpNTHPk=',
  'base64',
);

it('reads gzip and zstd, and refuses what is no whole tar', async () => {
  const tar = tarOf({ 'etc/passwd': 'root:x:0:0::/root:/bin/sh\n', 'a/b': 'x'.repeat(200_000) });
  const plain = await read(tar);
  expect(await read(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip')).toEqual(plain);
  expect((await read(zstd, 'application/vnd.oci.image.layer.v1.tar+zstd')).texts).toEqual([
    { path: 'etc/passwd', text: 'root:x:0:0::/root:/bin/sh\n' },
  ]);
  await expect(read(gzipSync(tar).subarray(0, 300), 'x+gzip')).rejects.toThrow(/unexpected end/i);
  await expect(read(Buffer.from('no gzip at all'), 'x+gzip')).rejects.toThrow(/incorrect header/i);
  await expect(read(Buffer.alloc(5000, 'x'))).rejects.toThrow();
});

it('finds frameworks as wheels write them, CUDA by its real library, and what an emptied database no longer says', async () => {
  const facts = await image(
    { 'var/lib/dpkg/status': status, 'usr/lib/libcudart.so.11.0': '-> libcudart.so.11.8.89' },
    {
      'var/lib/dpkg/status': '',
      'usr/lib/libcudart.so.11.8.89': 'x',
      'usr/lib/python3/dist-packages/torch_npu-2.1.0.dist-info/METADATA': 'x',
      'opt/conda/pkgs/x/lib/python3.10/site-packages/old-1.0.dist-info/METADATA': 'x',
    },
  );
  expect(facts.packages.map((it) => it.name)).toEqual(['torch_npu']);
  expect(facts.frameworks.map((it) => it.name)).toEqual(['torch_npu']);
  expect(facts.cuda).toEqual([{ version: '11.8.89', path: '/usr/lib' }]);
});

it('keeps a hard link as a file of its own', async () => {
  const root = join(dir, 'links');
  mkdirSync(join(root, 'opt/a/bin'), { recursive: true });
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  writeFileSync(join(root, 'opt/a/bin/tool'), 'x');
  chmodSync(join(root, 'opt/a/bin/tool'), 0o4755);
  linkSync(join(root, 'opt/a/bin/tool'), join(root, 'usr/bin/tool'));
  const first = await read(execFileSync('tar', ['-C', root, '-c', 'opt', 'usr']));
  const second = await read(tarOf({ 'opt/.wh.a': '' }));
  const { setuid } = inspect('linux/amd64', [layer(first), layer(second)], config).facts;
  expect(setuid.map((it) => it.path)).toEqual(['/usr/bin/tool']);
});
