import { Fault } from '@kiln/domain';
import { z } from 'zod';
import type { FetchedManifest, RegistryClient } from '../client/client.ts';
import { indexTypes, parseDocument, sha256Digest } from '../client/manifests.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
/** OCI's config of what is no image. */
const emptyConfig = Buffer.from('{}');
const emptyType = 'application/vnd.oci.empty.v1+json';

/** A document that refers to an image. */
export interface Referrer {
  artifactType: string;
  bytes: Buffer;
  annotations: Record<string, string>;
}

/** Runs `work` as the only one, anywhere, that changes what has this name. */
export type WithLock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export const manifestOf = (mediaType: string, document: object): FetchedManifest => {
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, mediaType, digest: sha256Digest(bytes) };
};

const looseIndex = z.looseObject({ manifests: z.array(z.looseObject({ digest: z.string() })) });

/** `sha256:…` → `sha256-…`: OCI's tag for what refers to a manifest, where a registry does not keep the list itself. */
export const referrersTag = (digest: string): string => digest.replace(':', '-');

/** What a tag lists, and where it does not exist, nothing. @throws Fault RegistryRefused, ManifestInvalid */
export async function readIndex(client: RegistryClient, repository: string, tag: string) {
  const found = await client.getManifest(repository, tag);
  if (!found) return { found, index: { manifests: [] } };
  const name = `${client.host}/${repository}:${tag}`;
  if (!indexTypes.includes(found.mediaType))
    throw new Fault('RegistryRefused', `${name} is not the list of what refers to the image`);
  return { found, index: parseDocument(looseIndex, found.bytes, `index ${name}`) };
}

/** What a list of referrers says of one. */
export interface ReferrerEntry {
  mediaType: string;
  digest: string;
  size: number;
  artifactType: string;
  annotations: Record<string, string>;
}

/**
 * Lists by OCI's tag what refers to an image, where the registry keeps no list itself.
 * @param subject digest of the image
 * @param withLock guards the tag, which is read and written
 */
export const listByTag = (
  client: RegistryClient,
  repository: string,
  subject: string,
  entries: readonly ReferrerEntry[],
  withLock: WithLock,
): Promise<void> =>
  withLock(`referrers ${client.host}/${repository}@${subject}`, async () => {
    const tag = referrersTag(subject);
    const { index } = await readIndex(client, repository, tag);
    const added = entries.filter((entry) => !index.manifests.some((it) => it.digest === entry.digest));
    if (added.length === 0) return;
    const whole = { ...index, schemaVersion: 2, mediaType: indexType, manifests: [...index.manifests, ...added] };
    await client.putManifest(repository, tag, manifestOf(indexType, whole));
  });

/**
 * Attaches a document to an image: a manifest that names the image as its subject.
 * @param subject descriptor of the image's manifest
 * @returns the manifest's entry for a list of referrers, whether the registry keeps that list itself, and the digest
 * and size of the document
 */
export async function attach(
  client: RegistryClient,
  repository: string,
  subject: { mediaType: string; digest: string; size: number },
  { artifactType, bytes, annotations }: Referrer,
): Promise<{ entry: ReferrerEntry; isListed: boolean; blob: { digest: string; size: number } }> {
  const config = await client.putBlob(repository, emptyConfig);
  const blob = await client.putBlob(repository, bytes);
  const manifest = manifestOf(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType,
    config: { mediaType: emptyType, ...config },
    layers: [{ mediaType: artifactType, ...blob }],
    subject,
    annotations,
  });
  const { digest } = manifest;
  const isListed = await client.putManifest(repository, digest, manifest);
  const entry = { mediaType: manifestType, digest, size: manifest.bytes.length, artifactType, annotations };
  return { entry, isListed, blob };
}
