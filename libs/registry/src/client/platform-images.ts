import { Fault } from '@kiln/domain';
import type { FetchedManifest, RegistryClient } from './client.ts';
import {
  artifactTypeOf,
  configSchema,
  type IndexEntry,
  indexSchema,
  indexTypes,
  type Manifest,
  manifestSchema,
  manifestTypes,
  parseDocument,
  type Platform,
  platformName,
} from './manifests.ts';
import type { z } from 'zod';

/** An image for one platform. */
export interface PlatformImage {
  fetched: FetchedManifest;
  platform: Platform;
  manifest: Manifest;
  config: z.output<typeof configSchema>;
}

// A config holds settings and history only; what is larger than this is not one.
const configBytesMax = 4 << 20;
/** How deep indexes may lie within each other, and how many manifests one image may have in all. */
const depthMax = 3;
const manifestsMax = 100;

/** Something that is kept in a registry like an image, and is none. */
const isArtifact = (name: string, type: string) =>
  new Fault('ManifestInvalid', `${name} is an artifact of type ${type}, not a container image`);

async function readOne(
  client: RegistryClient,
  repository: string,
  fetched: FetchedManifest,
  name: string,
): Promise<PlatformImage> {
  const manifest = parseDocument(manifestSchema, fetched.bytes, `manifest ${fetched.digest}`);
  if (manifest.mediaType !== undefined && manifest.mediaType !== fetched.mediaType) {
    throw new Fault(
      'ManifestInvalid',
      `manifest ${fetched.digest} calls itself ${manifest.mediaType}, but was sent as ${fetched.mediaType}`,
    );
  }
  const artifact = artifactTypeOf(manifest);
  if (artifact !== undefined) throw isArtifact(name, artifact);
  const { digest } = manifest.config;
  const bytes = await client.getBlob(repository, digest, configBytesMax);
  if (!bytes) throw new Fault('BlobMissing', `registry ${client.host} does not hold the config ${digest}`);
  const config = parseDocument(configSchema, bytes, `config ${digest}`);
  const { os, architecture, variant } = config;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return { fetched, platform, manifest, config };
}

/** Whether an entry of an index is no image, as far as the index says: an attestation, an artifact. */
const isNoImage = ({ platform, artifactType, mediaType }: IndexEntry): boolean =>
  platform?.os === 'unknown' || Boolean(artifactType) || ![...indexTypes, ...manifestTypes].includes(mediaType);

/** Reads the images of an index, and of those that it holds. */
class IndexReader {
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #wanted: (platform: Platform) => boolean;
  readonly #seen = new Set<string>();
  /** What the indexes say that there is, also where it was not wanted. */
  readonly named: Platform[] = [];

  constructor(client: RegistryClient, repository: string, wanted: (platform: Platform) => boolean) {
    this.#client = client;
    this.#repository = repository;
    this.#wanted = wanted;
  }

  async read(fetched: FetchedManifest, name: string, depth = 1): Promise<PlatformImage[]> {
    const index = parseDocument(indexSchema, fetched.bytes, `index ${fetched.digest}`);
    if (index.artifactType) throw isArtifact(name, index.artifactType);
    const found: PlatformImage[] = [];
    for (const entry of index.manifests.filter((it) => !isNoImage(it))) {
      // One manifest may stand for several platforms.
      const key = `${entry.digest} ${entry.platform ? platformName(entry.platform) : ''}`;
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      if (this.#seen.size > manifestsMax)
        throw new Fault('ManifestInvalid', `${name} is an index of more than ${manifestsMax} manifests`);
      if (indexTypes.includes(entry.mediaType)) found.push(...(await this.#inner(entry, name, depth)));
      else found.push(...(await this.#one(entry)));
    }
    return found;
  }

  async #inner(entry: IndexEntry, name: string, depth: number): Promise<PlatformImage[]> {
    if (depth === depthMax)
      throw new Fault('ManifestInvalid', `${name} has indexes within each other, more than ${depthMax} deep`);
    const child = await this.#client.getManifest(this.#repository, entry.digest);
    if (!child) throw missing(this.#client, entry.digest);
    return this.read(child, name, depth + 1);
  }

  async #one(entry: IndexEntry): Promise<PlatformImage[]> {
    const { platform, digest } = entry;
    if (platform) {
      this.named.push(platform);
      if (!this.#wanted(platform)) return [];
    }
    const child = await this.#client.getManifest(this.#repository, digest);
    try {
      if (!child) throw missing(this.#client, digest);
      if (!manifestTypes.includes(child.mediaType))
        throw new Fault('ManifestInvalid', `index names ${digest} of type ${child.mediaType}, not an image`);
      const one = await readOne(this.#client, this.#repository, child, `manifest ${digest}`);
      if (!platform) this.named.push(one.platform);
      else if (platform.architecture !== one.platform.architecture)
        throw new Fault(
          'ArchMismatch',
          `index says ${platformName(platform)} for ${digest}, but its config says ${platformName(one.platform)}`,
        );
      return this.#wanted(one.platform) ? [one] : [];
    } catch (error) {
      // What has no platform need not be an image.
      if (!platform && error instanceof Fault && noImage.has(error.code)) return [];
      throw error;
    }
  }
}

const noImage = new Set<string>(['ManifestInvalid', 'BlobMissing']);
const missing = (client: RegistryClient, digest: string) =>
  new Fault('BlobMissing', `registry ${client.host} does not hold manifest ${digest}, which the index names`);

/**
 * Reads the images that a manifest stands for: itself, or those of an index.
 * @param name what it is called, for errors
 * @param wanted which platforms to read; others are only named
 * @throws Fault ManifestInvalid, BlobMissing, ArchMismatch
 */
export async function readImages(
  client: RegistryClient,
  repository: string,
  fetched: FetchedManifest,
  name: string,
  wanted: (platform: Platform) => boolean = () => true,
): Promise<{ images: PlatformImage[]; platforms: Platform[] }> {
  if (indexTypes.includes(fetched.mediaType)) {
    const reader = new IndexReader(client, repository, wanted);
    const images = await reader.read(fetched, name);
    return { images, platforms: reader.named };
  }
  if (!manifestTypes.includes(fetched.mediaType))
    throw new Fault(
      'ManifestInvalid',
      `${name} is of type ${fetched.mediaType || '(none)'}; an OCI or Docker schema 2 image or index is needed`,
    );
  const one = await readOne(client, repository, fetched, name);
  return { images: wanted(one.platform) ? [one] : [], platforms: [one.platform] };
}

/** Digests of what an index holds, of the first 100 entries. @throws Fault ManifestInvalid */
export const membersOf = (index: FetchedManifest): string[] =>
  parseDocument(indexSchema, index.bytes, `index ${index.digest}`)
    .manifests.slice(0, manifestsMax)
    .map((it) => it.digest);
