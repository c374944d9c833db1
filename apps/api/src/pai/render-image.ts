import type { ShownImage } from '@kiln/persistence';
import { formatReference } from '@kiln/domain';
import { optional } from '../http/optional.ts';
import { renderLabels } from './labels.ts';

/** An image as PAI shows it; Kiln adds digest, status and the reason for it. */
export const renderPaiImage = (image: ShownImage, verbose: boolean) => ({
  ImageId: image.paiId,
  Name: image.name,
  Description: image.description,
  ImageUri: formatReference(image),
  Accessibility: image.visibility,
  WorkspaceId: image.workspaceId,
  UserId: image.userId,
  ParentUserId: image.accountId,
  Size: image.sizeBytes ?? 0,
  SourceType: image.sourceType ?? 'Import',
  ...optional('SourceId', image.sourceId),
  GmtCreateTime: image.createdAt.toISOString(),
  GmtModifiedTime: image.updatedAt.toISOString(),
  ...(verbose ? { Labels: renderLabels(image.labels) } : {}),
  SizeInBytes: image.sizeBytes ?? 0,
  Digest: image.digest ?? '',
  Status: image.status,
  StatusMessage: image.statusMessage,
});
