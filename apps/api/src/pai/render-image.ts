import { type ShownImage } from '@kiln/persistence';
import { formatReference } from '@kiln/schemas';

/** An image as PAI shows it. Sizes are in whole GB there, rounded up; Kiln adds bytes, digest and status. */
export const renderPaiImage = (image: ShownImage, verbose: boolean) => ({
  ImageId: image.paiId,
  Name: image.name,
  Description: image.description,
  ImageUri: formatReference(image),
  Accessibility: image.visibility,
  WorkspaceId: image.workspaceId,
  UserId: image.userId,
  ParentUserId: image.accountId,
  Size: Math.ceil((image.sizeBytes ?? 0) / 2 ** 30),
  ...(image.sourceType === null ? {} : { SourceType: image.sourceType }),
  ...(image.sourceId === null ? {} : { SourceId: image.sourceId }),
  GmtCreateTime: image.createdAt.toISOString(),
  GmtModifiedTime: image.updatedAt.toISOString(),
  ...(verbose ? { Labels: image.labels } : {}),
  SizeInBytes: image.sizeBytes ?? 0,
  Digest: image.digest ?? '',
  Status: image.status,
});
