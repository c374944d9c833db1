import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pushBlob, pushBlobFile, pushManifest } from './client/push.ts';
import { debianTar } from './debian.ts';
import { asRoot, program, runQuietly } from './parts.ts';

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

const digestOfFile = async (file: string): Promise<string> => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `sha256:${hash.digest('hex')}`;
};

/** What containers of an image have, as OCI's config calls it. */
export interface ImageSettings {
  Env?: string[];
  Cmd?: string[];
}

/**
 * Makes an image with one layer of a folder's or a tar's files, and pushes it to a registry without credentials.
 * @param target `host/repository:tag`
 */
export async function pushFiles(
  workDir: string,
  files: string,
  target: string,
  config: ImageSettings = {},
): Promise<void> {
  const [, host = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:]+)$/.exec(target) ?? [];
  mkdirSync(workDir, { recursive: true });
  const isFolder = statSync(files).isDirectory();
  const tar = isFolder ? join(workDir, `layer-${process.pid}.tar`) : files;
  const layer = join(workDir, `layer-${process.pid}.tar.gz`);
  try {
    if (isFolder) await runQuietly(asRoot(['tar', '-C', files, '--numeric-owner', '-cf', tar, '.']));
    await runQuietly(['sh', '-c', `gzip -1 -c '${tar}' > '${layer}'`]);
    const diffId = await digestOfFile(tar);
    const pushed = await pushBlobFile(host, repository, layer, await digestOfFile(layer));
    const document = {
      os: 'linux',
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      config,
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created_by: 'files' }],
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, ...(await pushBlob(host, repository, JSON.stringify(document))) },
      layers: [{ mediaType: types.layer, ...pushed }],
    };
    await pushManifest(host, repository, tag, manifest, types.manifest);
  } finally {
    rmSync(layer, { force: true });
    if (isFolder) rmSync(tar, { force: true });
  }
}

const hasImage = async (host: string, repository: string, tag: string): Promise<boolean> =>
  (
    await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
      method: 'HEAD',
      headers: { accept: types.manifest },
    })
  ).ok;

/** Makes sure that a registry has a Debian base image, made of Debian's packages. */
export async function ensureDebianBase(host: string, workDir: string): Promise<string> {
  const reference = `${host}/kiln/debian:base`;
  if (!(await hasImage(host, 'kiln/debian', 'base')))
    await pushFiles(workDir, await debianTar(), reference, { Cmd: ['/bin/sh'] });
  return reference;
}

const busyboxCommands = 'sh echo cat ls sleep true false mkdir dd seq head test id env grep'.split(' ');

/** Makes sure that a registry has an image with busybox alone: a base whose builds take milliseconds. */
export async function ensureBusyboxBase(host: string, workDir: string): Promise<string> {
  const reference = `${host}/kiln/busybox:base`;
  if (await hasImage(host, 'kiln/busybox', 'base')) return reference;
  const folder = join(workDir, 'busybox-rootfs');
  rmSync(folder, { recursive: true, force: true });
  const commands = [
    `mkdir -p '${folder}/bin'`,
    `cp '${program('busybox')}' '${folder}/bin/busybox'`,
    ...busyboxCommands.map((it) => `ln -s busybox '${folder}/bin/${it}'`),
  ];
  await runQuietly(['sh', '-c', commands.join(' && ')]);
  await pushFiles(workDir, folder, reference, { Env: ['PATH=/bin'], Cmd: ['/bin/sh'] });
  return reference;
}
