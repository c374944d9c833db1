import { Fault, type ImageStep } from '@kiln/schemas';
import { type FetchedManifest, type RegistryClient } from './client.ts';
import { historyOf } from './history.ts';
import {
  configSchema,
  indexSchema,
  indexTypes,
  type Manifest,
  manifestSchema,
  manifestTypes,
  parseDocument,
  platformName,
} from './manifests.ts';

export interface Verified {
  manifest: FetchedManifest;
  digest: string;
  mediaType: string;
  platforms: string[];
  /** Compressed bytes of config and layers of the image for the architecture asked for. */
  sizeBytes: number;
  /** How that image came about, instruction by instruction. */
  history: ImageStep[];
}

interface VerifiedOne {
  platform: string;
  architecture: string;
  sizeBytes: number;
  history: ImageStep[];
}

// A config holds settings and history only; what is larger than this is not one.
const configBytesMax = 4 << 20;
// Registries answer HEAD in about a millisecond; more at once only queues up there.
const blobsAtOnce = 8;

/** Runs `work` over `items`, at most `atOnce` at a time. */
async function eachAtOnce<T>(items: T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const runner = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runner));
}

async function verifyBlobs(client: RegistryClient, repository: string, manifest: Manifest): Promise<void> {
  const blobs = new Map(manifest.layers.map((it) => [it.digest, it]));
  await eachAtOnce([...blobs.values()], blobsAtOnce, async (blob) => {
    if (blob.mediaType.includes('foreign') || blob.mediaType.includes('nondistributable')) return;
    const size = await client.headBlob(repository, blob.digest);
    if (size === undefined)
      throw new Fault('BlobMissing', `registry ${client.host} does not hold ${blob.digest}, which the image needs`);
    if (size !== blob.size) {
      throw new Fault('ManifestInvalid', `blob ${blob.digest} has ${size} bytes, but the manifest says ${blob.size}`);
    }
  });
}

async function verifyOne(client: RegistryClient, repository: string, fetched: FetchedManifest): Promise<VerifiedOne> {
  const manifest = parseDocument(manifestSchema, fetched.bytes, `manifest ${fetched.digest}`);
  if (manifest.mediaType !== undefined && manifest.mediaType !== fetched.mediaType) {
    throw new Fault(
      'ManifestInvalid',
      `manifest ${fetched.digest} calls itself ${manifest.mediaType}, but was sent as ${fetched.mediaType}`,
    );
  }
  const [configBytes] = await Promise.all([
    client.getBlob(repository, manifest.config.digest, configBytesMax),
    verifyBlobs(client, repository, manifest),
  ]);
  if (!configBytes)
    throw new Fault('BlobMissing', `registry ${client.host} does not hold the config ${manifest.config.digest}`);
  const config = parseDocument(configSchema, configBytes, `config ${manifest.config.digest}`);
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw new Fault(
      'ManifestInvalid',
      `config names ${config.rootfs.diff_ids.length} layers, the manifest ${manifest.layers.length}`,
    );
  }
  const sizeBytes = [manifest.config, ...manifest.layers].reduce((sum, it) => sum + it.size, 0);
  const history = historyOf(config, manifest);
  return { platform: platformName(config), architecture: config.architecture, sizeBytes, history };
}

async function verifyIndex(
  client: RegistryClient,
  repository: string,
  fetched: FetchedManifest,
): Promise<VerifiedOne[]> {
  const index = parseDocument(indexSchema, fetched.bytes, `index ${fetched.digest}`);
  const found: VerifiedOne[] = [];
  for (const entry of index.manifests) {
    // Attestations ride along under this name; they are not images.
    if (entry.platform?.os === 'unknown') continue;
    const child = await client.getManifest(repository, entry.digest);
    if (!child)
      throw new Fault(
        'BlobMissing',
        `registry ${client.host} does not hold manifest ${entry.digest}, which the index names`,
      );
    if (!manifestTypes.includes(child.mediaType))
      throw new Fault('ManifestInvalid', `index names ${entry.digest} of type ${child.mediaType}, not an image`);
    const one = await verifyOne(client, repository, child);
    if (entry.platform && entry.platform.architecture !== one.architecture) {
      throw new Fault(
        'ArchMismatch',
        `index says ${platformName(entry.platform)} for ${entry.digest}, but its config says ${one.platform}`,
      );
    }
    found.push(one);
  }
  return found;
}

/** Names of architectures as ModelArts and OCI write them. */
export const ociArch = (arch: string): string => ({ X86_64: 'amd64', AARCH64: 'arm64' })[arch.toUpperCase()] ?? arch;

/**
 * Reads an image back from its registry and checks it whole: documents well-formed, digests match their bytes, every blob
 * there with its declared size, and an image for `arch` among its platforms.
 * @param reference tag or digest
 * @param arch `X86_64` or `AARCH64`; undefined takes whatever is there
 * @throws Fault ImagePathNotFound, ManifestInvalid, BlobMissing, ArchMismatch, RegistryDenied: the image will not do;
 * RegistryUnreachable: it could not be found out
 */
export async function verifyImage(
  client: RegistryClient,
  repository: string,
  reference: string,
  arch: string | undefined,
): Promise<Verified> {
  const manifest = await client.getManifest(repository, reference);
  const separator = reference.startsWith('sha256:') ? '@' : ':';
  const name = `${client.host}/${repository}${separator}${reference}`;
  if (!manifest) throw new Fault('ImagePathNotFound', `there is no image ${name}`);
  const isIndex = indexTypes.includes(manifest.mediaType);
  if (!isIndex && !manifestTypes.includes(manifest.mediaType)) {
    throw new Fault(
      'ManifestInvalid',
      `${name} is of type ${manifest.mediaType || '(none)'}; an OCI or Docker schema 2 image or index is needed`,
    );
  }
  const found = isIndex
    ? await verifyIndex(client, repository, manifest)
    : [await verifyOne(client, repository, manifest)];
  const platforms = found.map((it) => it.platform);
  const match = arch === undefined ? found[0] : found.find((it) => it.architecture === ociArch(arch));
  if (!match) {
    throw new Fault(
      'ArchMismatch',
      `arch: ${name} is for ${platforms.join(', ') || 'no platform'}, not for ${arch ?? 'any'}${arch === undefined ? '' : ` (${ociArch(arch)})`}`,
      { field: 'arch' },
    );
  }
  const { sizeBytes, history } = match;
  return { manifest, digest: manifest.digest, mediaType: manifest.mediaType, platforms, sizeBytes, history };
}
