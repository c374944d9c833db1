import { z } from 'zod';
import type { RegistryClient } from '../client/client.ts';
import { parseDocument } from '../client/manifests.ts';
import { manifestOf, referrersTag, type WithLock } from './attach.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const looseManifest = z.looseObject({
  layers: z.array(z.looseObject({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() })),
});

/** A signature or an attestation as cosign kept it before its version 3: a layer of what is tagged like an image. */
export interface CosignLayer {
  mediaType: string;
  bytes: Buffer;
  annotations: Record<string, string>;
}

export const cosignTag = (subject: string, suffix: 'sig' | 'att'): string => `${referrersTag(subject)}.${suffix}`;

/** Whose layers they are: done again, they take the place of those before. */
const ownerAnnotation = 'kiln.attestation';

/**
 * Adds layers to the tag in which cosign looked for signatures (`sig`) or attestations (`att`) of an image.
 * @param subject digest of the image
 * @param owner id by which the layers are known
 * @param withLock guards the tag, which is read and written
 */
export async function addCosignLayers(
  client: RegistryClient,
  repository: string,
  subject: string,
  suffix: 'sig' | 'att',
  { owner, layers }: { owner: string; layers: readonly CosignLayer[] },
  withLock: WithLock,
): Promise<void> {
  const tag = cosignTag(subject, suffix);
  const added = await Promise.all(
    layers.map(async ({ mediaType, bytes, annotations }) => ({
      mediaType,
      ...(await client.putBlob(repository, bytes)),
      annotations: { ...annotations, [ownerAnnotation]: owner },
    })),
  );
  await withLock(`cosign ${client.host}/${repository}:${tag}`, async () => {
    const found = await client.getManifest(repository, tag);
    const before = found ? parseDocument(looseManifest, found.bytes, `manifest ${repository}:${tag}`).layers : [];
    const all = [...before.filter((it) => it.annotations?.[ownerAnnotation] !== owner), ...added];
    const config = await client.putBlob(
      repository,
      Buffer.from(
        JSON.stringify({
          architecture: '',
          os: '',
          config: {},
          rootfs: { type: 'layers', diff_ids: all.map((it) => it.digest) },
        }),
      ),
    );
    const manifest = manifestOf(manifestType, {
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: all,
    });
    await client.putManifest(repository, tag, manifest);
  });
}
