import type { ShownImage } from '@kiln/persistence';
import { formatReference, splitRepository } from '@kiln/domain';

export interface WorkspaceIds {
  modelartsId: string;
  isDefault: boolean;
}

/** An image as ModelArts shows it. `size` is in bytes, as in the vendor's example; its page says KB. */
export const renderModelArtsImage = (image: ShownImage, workspace: WorkspaceIds | undefined) => ({
  arch: image.arch.toLowerCase(),
  create_at: image.createdAt.getTime(),
  description: image.description,
  dev_services: image.services,
  id: image.id,
  ...splitRepository(image.repository),
  origin: image.origin,
  resource_categories: image.resourceCategories,
  service_type: image.serviceType,
  show_name: splitRepository(image.repository).name,
  show_tag: image.tag,
  size: image.sizeBytes ?? 0,
  status: image.status,
  status_message: image.statusMessage,
  swr_path: formatReference(image),
  tag: image.tag,
  tags: image.labels,
  type: 'DEDICATED' as const,
  update_at: image.updatedAt.getTime(),
  visibility: image.hidden ? ('HIDDEN' as const) : image.visibility,
  workspace_id: workspace === undefined || workspace.isDefault ? '0' : workspace.modelartsId,
  ...(image.flavorType === null ? {} : { flavor_type: image.flavorType }),
  ...(image.registryConnectionId === null ? {} : { swr_instance_id: image.registryConnectionId }),
});
