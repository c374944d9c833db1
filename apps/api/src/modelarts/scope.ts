import { type ListScope } from '@kiln/persistence';
import { Fault } from '@kiln/schemas';
import { type Caller, type Directory } from '@kiln/services';

/**
 * The one workspace that a list is of; "0" is its project's default one.
 * @throws Fault WorkspaceNotFound
 */
export async function workspaceScope(
  directory: Directory,
  viewer: Caller,
  projectId: string,
  id: string,
): Promise<ListScope> {
  const workspace = await directory.workspace(viewer, { id, projectId });
  if (!workspace)
    throw new Fault('WorkspaceNotFound', `workspace_id: there is no workspace ${id}`, { field: 'workspace_id' });
  return { viewer, workspaceIds: [workspace.id] };
}
