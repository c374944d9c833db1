import { randomUUID } from 'node:crypto';
import { newPaiImageId } from '@kiln/kit';
import { archOf } from './arch-of.ts';
import type { Build, NewImage, VerifiedImage } from '@kiln/persistence';

/** The catalogue entry that a build ends in. What only ModelArts knows gets its defaults. */
export function imageOfBuild(build: Build, verified: VerifiedImage): NewImage & VerifiedImage {
  const { image } = build.request;
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
    description: image.description ?? '',
    visibility: build.accessibility,
    publicById: false,
    hidden: false,
    arch: archOf(verified.platforms),
    origin: 'CUSTOMIZE',
    resourceCategories: ['CPU', 'GPU'],
    serviceType: 'UNKNOWN',
    services: ['NOTEBOOK', 'SSH'],
    flavorType: null,
    sourceType: 'Build',
    sourceId: build.id,
    via: 'build',
    registryConnectionId: build.registryConnectionId,
    digest: verified.digest,
    mediaType: verified.mediaType,
    platforms: verified.platforms,
    sizeBytes: verified.sizeBytes,
    history: verified.history,
    labels: image.labels,
  };
}
