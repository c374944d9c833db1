import { randomUUID } from 'node:crypto';
import { newPaiImageId } from '@kiln/kit';
import { type Build, type NewImage, type VerifiedImage } from '@kiln/persistence';
import { type Label } from '@kiln/schemas';

/** The catalogue entry that a build ends in. What only ModelArts knows gets its defaults. */
export function imageOfBuild(build: Build, verified: VerifiedImage): NewImage & VerifiedImage & { labels: Label[] } {
  const { Image } = build.spec;
  return {
    id: randomUUID(),
    paiId: newPaiImageId(),
    accountId: build.accountId,
    projectId: build.projectId,
    workspaceId: build.workspaceId,
    userId: build.userId,
    name: build.imageName,
    host: build.host,
    repository: build.repository,
    tag: build.tag,
    description: Image.Description ?? '',
    visibility: build.accessibility,
    arch: verified.platforms[0]?.includes('arm64') ? 'AARCH64' : 'X86_64',
    origin: 'CUSTOMIZE',
    resourceCategories: ['CPU', 'GPU'],
    serviceType: 'UNKNOWN',
    services: ['NOTEBOOK', 'SSH'],
    flavorType: null,
    digest: verified.digest,
    mediaType: verified.mediaType,
    platforms: verified.platforms,
    sizeBytes: verified.sizeBytes,
    labels: Image.Labels,
  };
}
