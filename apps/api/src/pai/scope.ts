import type { ListScope } from '@kiln/persistence';
import type { Caller } from '../callers/caller.ts';
import { type Directory, requireWorkspace } from '@kiln/usecases';

/**
 * What a list is of: the workspace that was named, or all that the caller sees.
 * @throws Fault WorkspaceNotFound
 */
export async function scopeOf(directory: Directory, viewer: Caller, id: string | undefined): Promise<ListScope> {
  if (id === undefined) return { viewer, workspaceIds: await directory.workspaceIds(viewer) };
  const workspace = await requireWorkspace(directory, viewer, { id }, 'WorkspaceId');
  return { viewer, workspaceIds: [workspace.id] };
}
