import { Fault, fieldFault, formatImageName, type ImageStep } from '@kiln/domain';
import type { FetchedManifest, RegistryClient } from '../client/client.ts';
import { historyOf } from './history.ts';
import { type Manifest, platformName } from '../client/manifests.ts';
import { type PlatformImage, readImages } from '../client/platform-images.ts';

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
    const held = await client.headBlob(repository, blob.digest);
    if (!held)
      throw new Fault('BlobMissing', `registry ${client.host} does not hold ${blob.digest}, which the image needs`);
    // A registry that holds it and does not tell its size is believed: the digest stands for its bytes.
    if (held.size !== undefined && held.size !== blob.size)
      throw new Fault(
        'ManifestInvalid',
        `registry ${client.host}: blob ${blob.digest} has ${held.size} bytes, but the manifest says ${blob.size}`,
      );
  });
}

async function verifyOne(
  client: RegistryClient,
  repository: string,
  { manifest, config }: PlatformImage,
): Promise<void> {
  await verifyBlobs(client, repository, manifest);
  if (config.rootfs.diff_ids.length !== manifest.layers.length)
    throw new Fault(
      'ManifestInvalid',
      `config names ${config.rootfs.diff_ids.length} layers, the manifest ${manifest.layers.length}`,
    );
}

/** Names of architectures as ModelArts and OCI write them. */
export const ociArch = (arch: string): string => ({ X86_64: 'amd64', AARCH64: 'arm64' })[arch.toUpperCase()] ?? arch;

/**
 * The images that a tag or digest stands for.
 * @throws Fault ImagePathNotFound, ManifestInvalid, BlobMissing, ArchMismatch
 */
export async function readImagesOf(client: RegistryClient, repository: string, reference: string) {
  const manifest = await client.getManifest(repository, reference);
  const name = formatImageName({ host: client.host, repository, reference });
  if (!manifest) throw new Fault('ImagePathNotFound', `there is no image ${name}`);
  return { manifest, name, ...(await readImages(client, repository, manifest, name)) };
}

/**
 * Reads an image back from its registry and checks it whole: documents well-formed, digests match their bytes, every
 * blob there with its declared size, and an image for `arch` among its platforms. Entries of an index that are no
 * images, such as attestations, are passed over.
 * @param reference tag or digest
 * @param arch `X86_64` or `AARCH64`; undefined takes whatever is there
 * @throws Fault ImagePathNotFound, ManifestInvalid, BlobMissing, ArchMismatch, RegistryDenied, RegistryRefused: the
 * image will not do; RegistryUnreachable: it could not be found out
 */
export async function verifyImage(
  client: RegistryClient,
  repository: string,
  reference: string,
  arch: string | undefined,
): Promise<Verified> {
  const { manifest, name, images } = await readImagesOf(client, repository, reference);
  for (const it of images) await verifyOne(client, repository, it);
  const platforms = images.map((it) => platformName(it.platform));
  const match = arch === undefined ? images[0] : images.find((it) => it.platform.architecture === ociArch(arch));
  if (!match) {
    throw fieldFault(
      'ArchMismatch',
      'arch',
      `${name} is for ${platforms.join(', ') || 'no platform'}, not for ${arch ?? 'any'}${arch === undefined ? '' : ` (${ociArch(arch)})`}`,
    );
  }
  const { config, layers } = match.manifest;
  const sizeBytes = [config, ...layers].reduce((sum, it) => sum + it.size, 0);
  const history = historyOf(match.config, match.manifest);
  return { manifest, digest: manifest.digest, mediaType: manifest.mediaType, platforms, sizeBytes, history };
}
