import type { RegistryConnection, Viewer, Workspace } from '@kiln/persistence';
import { fieldFault, type Reference } from '@kiln/domain';
import type { Directory } from './directory.ts';

/**
 * The workspace that a request names.
 * @param field the request's field that names it
 * @throws Fault WorkspaceNotFound
 */
export async function requireWorkspace(
  directory: Directory,
  viewer: Viewer,
  by: { id: string; projectId?: string },
  field: string,
): Promise<Workspace> {
  const workspace = await directory.workspace(viewer, by);
  if (!workspace) throw fieldFault('WorkspaceNotFound', field, `there is no workspace ${by.id}`);
  return workspace;
}

/**
 * The registry connection that a request names for a reference.
 * @param fields the request's fields that name the connection and the reference
 * @throws Fault RegistryConnectionNotFound; InvalidParameter when the reference is of another registry
 */
export async function requireConnection(
  directory: Directory,
  accountId: string,
  id: string,
  reference: Reference,
  fields: { connection: string; reference: string },
): Promise<RegistryConnection> {
  const connection = await directory.registryConnection(accountId, id);
  if (!connection)
    throw fieldFault('RegistryConnectionNotFound', fields.connection, `there is no registry connection ${id}`);
  if (connection.host !== reference.host)
    throw fieldFault('InvalidParameter', fields.reference, `its host must be ${connection.host}, the one of ${id}`);
  return connection;
}
