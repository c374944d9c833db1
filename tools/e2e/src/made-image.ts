import type { Readable } from 'node:stream';
import type { RunConfig } from '@kiln/domain';
import { readLayer } from '@kiln/facts';
import { pack } from 'tar-stream';

/** A file as made images have it: text; `link:`, `elf:` with an architecture; `/` at the end of a path is a folder. */
export interface MadeFile {
  content?: string;
  mode?: number;
  owner?: [uid: number, gid: number];
}
export interface MadeImage {
  platform: string;
  files: Record<string, MadeFile>;
  /** Laid over the files. */
  upper: Record<string, MadeFile>;
  config: RunConfig;
  /** Compressed and unpacked, where those of the files are not meant. */
  size?: number;
  unpacked?: number;
  categories?: string[];
}

const machines: Record<string, number> = { amd64: 62, arm64: 183 };
function bytesOf(content: string): Buffer {
  const arch = /^elf:(\w+)$/.exec(content)?.[1];
  if (arch === undefined) return Buffer.from(content);
  const head = Buffer.alloc(128);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  head.writeUInt16LE(machines[arch] ?? 0, 18);
  return head;
}

export async function layerOf(files: Record<string, MadeFile>) {
  const tar = pack();
  for (const [name, { content = '', mode, owner: [uid, gid] = [0, 0] }] of Object.entries(files)) {
    const about = { name, uid, gid };
    if (name.endsWith('/')) tar.entry({ ...about, type: 'directory', mode: mode ?? 0o755 });
    else if (content.startsWith('link:')) tar.entry({ ...about, type: 'symlink', linkname: content.slice(5) });
    else tar.entry({ ...about, mode: mode ?? 0o644 }, bytesOf(content));
  }
  tar.finalize();
  return readLayer(tar as unknown as Readable, 'application/vnd.oci.image.layer.v1.tar');
}

export const text = (content: string): MadeFile => ({ content });
export const program = (content = 'elf:amd64'): MadeFile => ({ content, mode: 0o755 });
export const link = (target: string): MadeFile => ({ content: `link:${target}` });
export const package_ = (name: string, version: string) => ({
  [`usr/local/lib/python3.11/site-packages/${name}-${version}.dist-info/METADATA`]: text('x'),
});

/** Debian with Python, and the user that ModelArts asks for. */
const base = (): MadeImage => ({
  platform: 'linux/amd64',
  files: {
    bin: link('usr/bin'),
    lib: link('usr/lib'),
    'etc/passwd': text('root:x:0:0:root:/root:/bin/bash\nma-user:x:1000:100::/home/ma-user:/bin/bash\n'),
    'etc/group': text('root:x:0:\nma-group:x:100:\n'),
    'home/ma-user/': { mode: 0o755, owner: [1000, 100] },
    'usr/bin/bash': program(),
    'usr/bin/sh': link('bash'),
    'usr/lib/x86_64-linux-gnu/libc.so.6': text('elf:amd64'),
    'usr/local/bin/python3.11': program(),
    'usr/local/bin/python3': link('python3.11'),
    'usr/local/bin/python': link('python3'),
    'var/lib/dpkg/status': text('Package: tzdata\nStatus: install ok installed\nVersion: 2024a\n'),
    'usr/bin/su': { ...program(), mode: 0o4755 },
  },
  upper: {},
  config: {
    user: 'ma-user',
    workingDir: '/home/ma-user',
    entrypoint: [],
    cmd: ['bash'],
    env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'PYTHONUNBUFFERED=1'],
    ports: [],
    volumes: [],
    labels: {},
  },
});
export type Change = (image: MadeImage) => void;
export const with_ = (...changes: Change[]): MadeImage => {
  const image = base();
  for (const it of changes) it(image);
  return image;
};
export const add =
  (files: Record<string, MadeFile>): Change =>
  (it) =>
    void Object.assign(it.files, structuredClone(files));
export const over =
  (files: Record<string, MadeFile>): Change =>
  (it) =>
    void Object.assign(it.upper, structuredClone(files));
export const drop =
  (...paths: string[]): Change =>
  (it) => {
    for (const path of paths) delete it.files[path];
  };
export const config =
  (set: Partial<RunConfig>): Change =>
  (it) =>
    void Object.assign(it.config, set);
export const env =
  (...all: string[]): Change =>
  (it) =>
    void it.config.env.push(...all);
export const categories =
  (...all: string[]): Change =>
  (it) =>
    void (it.categories = all);
export const passwd = (line: string): Change =>
  add({ 'etc/passwd': text(`root:x:0:0:root:/root:/bin/bash\n${line}\n`) });
export const unset =
  (name: string): Change =>
  (it) =>
    void (it.config.env = it.config.env.filter((one) => !one.startsWith(`${name}=`)));
