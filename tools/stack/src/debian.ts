import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { cacheDir } from './root.ts';
import { asRoot, debianParts, installParts, missingParts, program, runQuietly } from './parts.ts';

/** The release of Debian whose packages an engine root is made of: the first with a Docker that has BuildKit in it. */
const suite = 'trixie';

/** BuildKit, which is a part of Docker's daemon there, what runs its steps, and what it fetches ADD's sources with. */
const enginePackages = ['docker.io', 'runc', 'git', 'ca-certificates', 'openssh-client'];

/** The mirror that this machine's own package lists come from, when it is Debian too; mmdebstrap's own otherwise. */
async function mirror(): Promise<string[]> {
  if (!/^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))) return [];
  const format = ['--format', '$(SITE)', 'Created-By: Packages'];
  const sites = await runQuietly(['apt-get', 'indextargets', ...format]).catch(() => '');
  const found = sites.split('\n').find((it) => it.startsWith('http'));
  return found === undefined ? [] : [found];
}

const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Makes a Debian of a minimal system and some packages, once for a machine. */
async function makeDebian(
  name: string,
  packages: readonly string[],
  format: 'tar' | 'directory',
  release = suite,
): Promise<string> {
  const target = join(cacheDir, name);
  if (existsSync(target)) return target;
  const missing = missingParts(debianParts);
  if (missing.length > 0) await installParts(missing);
  mkdirSync(cacheDir, { recursive: true });
  const made = `${target}.${process.pid}`;
  const included = packages.length > 0 ? [`--include=${packages.join(',')}`] : [];
  try {
    await runQuietly(
      asRoot([
        // Nothing that is half made is kept: dpkg need not wait for the disk after each file.
        program('mmdebstrap'), '--quiet', '--variant=minbase', '--dpkgopt=force-unsafe-io',
        `--format=${format}`, ...included, release, made, ...(await mirror()),
      ]),
    ); // prettier-ignore
    if (!existsSync(target)) renameSync(made, target);
  } finally {
    await runQuietly(asRoot(['rm', '-rf', made]));
  }
  return target;
}

/**
 * Docker as people have it, which Kiln is compared with and its Compose file is tried with; cosign and oras, which
 * people verify signatures with and look at what is attached to images with.
 */
const clientPackages = [
  'docker.io',
  'docker-cli',
  'docker-buildx',
  'docker-compose',
  'iptables',
  'iproute2',
  'slirp4netns',
  'ca-certificates',
  'cosign',
  'oras',
];

/** What Kiln's container images stand on and stand beside, and the packages that its builder adds. */
const serverPackages = ['postgresql', 'redis-server', 'docker-registry', 'wget', 'ca-certificates'];
const builderPackages = ['runc', 'nftables', 'iproute2', 'e2fsprogs', 'git'];

/** Makes the system that BuildKit runs in, once for a machine: it takes half a minute. */
export const ensureEngineRoot = (): Promise<string> =>
  makeDebian(`engine-${suite}-${short(enginePackages.join(' '))}`, enginePackages, 'directory');

/** Makes a system with all of Docker, cosign and oras, once for a machine: it takes half a minute. */
export const ensureClientsRoot = (): Promise<string> =>
  makeDebian(`clients-${suite}-${short(clientPackages.join(' '))}`, clientPackages, 'directory');

/** Makes a Debian 12 with the servers of Kiln's Compose file, once for a machine: it takes half a minute. */
export function ensureServersRoot(): Promise<string> {
  const packages = [...serverPackages, ...builderPackages];
  return makeDebian(`servers-bookworm-${short(packages.join(' '))}`, packages, 'directory', 'bookworm');
}

/** Makes a minimal Debian as a tar, once for a machine. */
export const debianTar = (): Promise<string> => makeDebian(`debian-${suite}-minbase.tar`, [], 'tar');
