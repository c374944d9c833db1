import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { asRoot, baseImageParts, installParts, missingParts, program, runQuietly } from './parts.ts';

/** Where images are made before they are pushed: buildah, with a store of its own. */
export interface ImageMaker {
  buildah(args: string[], timeoutMs?: number): Promise<string>;
}

// Buildah's store mounts its own folder; in a namespace of the command's own, that mount ends with the command.
const ownMounts = ['unshare', '--mount', '--propagation', 'private'];

export const openImageMaker = (storeDir: string): ImageMaker => {
  const store = ['--root', join(storeDir, 'root'), '--runroot', join(storeDir, 'run'), '--storage-driver', 'overlay'];
  return {
    buildah: (args, timeoutMs) =>
      runQuietly(
        asRoot([...ownMounts, program('buildah'), ...store, ...args]),
        timeoutMs === undefined ? {} : { timeoutMs },
      ),
  };
};

/** Makes an image with one layer of a folder's or a tar's files, and pushes it. */
export async function pushImage(
  maker: ImageMaker,
  files: string,
  target: string,
  config: string[] = [],
): Promise<void> {
  const container = (await maker.buildah(['from', 'scratch'])).trim().split('\n').at(-1) ?? '';
  try {
    await maker.buildah(['add', '--quiet', container, files, '/']);
    if (config.length > 0) await maker.buildah(['config', ...config, container]);
    await maker.buildah(['commit', '--quiet', '--tls-verify=false', container, `docker://${target}`]);
  } finally {
    await maker.buildah(['rm', container]);
  }
}

const hasImage = async (host: string, repository: string, tag: string): Promise<boolean> =>
  (
    await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
      method: 'HEAD',
      headers: {
        accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    })
  ).ok;

/** The host's release and the first mirror that its package lists name. */
async function debianSource(): Promise<{ suite: string; mirror: string }> {
  const release = readFileSync('/etc/os-release', 'utf8');
  const suite = /^VERSION_CODENAME=(.+)$/m.exec(release)?.[1] ?? 'bookworm';
  const sites = await runQuietly([
    'apt-get',
    'indextargets',
    '--format',
    '$(SITE) $(RELEASE)',
    'Created-By: Packages',
  ]).catch(() => '');
  const [mirror = ''] =
    sites
      .split('\n')
      .find((it) => it.endsWith(` ${suite}`))
      ?.split(' ') ?? [];
  if (!mirror) throw new Error('no package mirror is known on this machine (apt-get update first)');
  return { suite, mirror };
}

/** Installs a minimal Debian into a tar, once for a machine: it takes half a minute. */
export async function debianTar(cacheDir: string): Promise<string> {
  const { suite, mirror } = await debianSource();
  const tar = join(cacheDir, `debian-${suite}-minbase.tar`);
  if (existsSync(tar)) return tar;
  const missing = missingParts(baseImageParts);
  if (missing.length > 0) await installParts(missing);
  mkdirSync(cacheDir, { recursive: true });
  const folder = join(cacheDir, `debootstrap-${process.pid}`);
  try {
    await runQuietly(asRoot([program('debootstrap'), '--variant=minbase', suite, folder, mirror]));
    await runQuietly(
      asRoot([
        'sh',
        '-c',
        `rm -rf '${folder}'/var/cache/apt/archives/*.deb '${folder}'/var/lib/apt/lists/* && tar -C '${folder}' --exclude='./dev/*' -cf '${tar}.part' . && chmod 644 '${tar}.part'`,
      ]),
    );
    renameSync(`${tar}.part`, tar);
  } finally {
    await runQuietly(asRoot(['rm', '-rf', folder]));
  }
  return tar;
}

// The public registry is asked for this long only: without internet access, the answer is often silence.
const pullTimeoutMs = 8000;

/**
 * Makes sure that a registry has a Debian base image: the public one when that can be pulled within seconds, otherwise
 * one made from Debian's packages.
 * @returns the image's reference, and where it came from
 */
export async function ensureDebianBase(
  maker: ImageMaker,
  host: string,
  cacheDir: string,
): Promise<{ reference: string; origin: string }> {
  const reference = `${host}/kiln/debian:base`;
  if (await hasImage(host, 'kiln/debian', 'base')) return { reference, origin: 'there already' };
  mkdirSync(dirname(cacheDir), { recursive: true });
  const upstream = 'docker.io/library/debian:bookworm-slim';
  const pulled = await maker.buildah(['pull', '--quiet', upstream], pullTimeoutMs).then(
    () => true,
    () => false,
  );
  if (pulled) {
    await maker.buildah(['push', '--quiet', '--tls-verify=false', upstream, `docker://${reference}`]);
    return { reference, origin: `pulled ${upstream}` };
  }
  await pushImage(maker, await debianTar(cacheDir), reference, ['--cmd', '/bin/sh']);
  return { reference, origin: 'made from Debian packages; the public registry does not answer' };
}

/** Makes sure that a registry has an image with busybox alone: a base whose builds take milliseconds. */
export async function ensureBusyboxBase(maker: ImageMaker, host: string, workDir: string): Promise<string> {
  const reference = `${host}/kiln/busybox:base`;
  if (await hasImage(host, 'kiln/busybox', 'base')) return reference;
  const folder = join(workDir, 'busybox-rootfs');
  rmSync(folder, { recursive: true, force: true });
  const links = [
    'sh',
    'echo',
    'cat',
    'ls',
    'sleep',
    'true',
    'false',
    'mkdir',
    'dd',
    'seq',
    'head',
    'test',
    'id',
    'env',
    'grep',
  ];
  const commands = [
    `mkdir -p '${folder}/bin'`,
    `cp '${program('busybox')}' '${folder}/bin/busybox'`,
    ...links.map((it) => `ln -s busybox '${folder}/bin/${it}'`),
  ];
  await runQuietly(['sh', '-c', commands.join(' && ')]);
  await pushImage(maker, folder, reference, ['--env', 'PATH=/bin', '--cmd', '/bin/sh']);
  return reference;
}
