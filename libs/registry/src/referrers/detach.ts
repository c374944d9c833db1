import type { RegistryClient } from '../client/client.ts';
import { cosignTag } from './cosign-tags.ts';
import { manifestOf, readIndex, referrersTag, type WithLock } from './attach.ts';

/**
 * Takes documents out of a registry that refer to an image which is to go, and out of OCI's tag where that lists them; and
 * cosign's own tags of it. What others have attached stays.
 * @param documents digests of their manifests
 */
export async function detach(
  client: RegistryClient,
  repository: string,
  subject: string,
  documents: readonly string[],
  withLock: WithLock,
): Promise<void> {
  await withLock(`referrers ${client.host}/${repository}@${subject}`, async () => {
    const tag = referrersTag(subject);
    const { found, index } = await readIndex(client, repository, tag);
    if (!found) return;
    const others = index.manifests.filter((it) => !documents.includes(it.digest));
    if (others.length === 0) await client.deleteManifest(repository, found.digest);
    else if (others.length < index.manifests.length)
      await client.putManifest(repository, tag, manifestOf(found.mediaType, { ...index, manifests: others }));
  });
  for (const digest of documents) await client.deleteManifest(repository, digest);
  for (const suffix of ['sig', 'att'] as const) {
    const found = await client.headManifest(repository, cosignTag(subject, suffix));
    if (found !== undefined) await client.deleteManifest(repository, found);
  }
}
