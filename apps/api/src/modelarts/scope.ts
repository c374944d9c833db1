import type { ListScope } from '@kiln/persistence';
import type { Caller } from '../callers/caller.ts';
import { type Directory, requireWorkspace } from '@kiln/usecases';

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
  const workspace = await requireWorkspace(directory, viewer, { id, projectId }, 'workspace_id');
  return { viewer, workspaceIds: [workspace.id] };
}
