import { type ListScope } from '@kiln/persistence';
import { Fault } from '@kiln/schemas';
import { type Caller, type Directory } from '@kiln/services';

/**
 * What a list is of: the workspace that was named, or all that the caller sees.
 * @throws Fault WorkspaceNotFound
 */
export async function scopeOf(directory: Directory, viewer: Caller, id: string | undefined): Promise<ListScope> {
  if (id === undefined) return { viewer, workspaceIds: await directory.workspaceIds(viewer) };
  const workspace = await directory.workspace(viewer, { id });
  if (!workspace)
    throw new Fault('WorkspaceNotFound', `WorkspaceId: there is no workspace ${id}`, { field: 'WorkspaceId' });
  return { viewer, workspaceIds: [workspace.id] };
}
