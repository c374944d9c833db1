import {
  type Database,
  findAccessKey,
  type FoundAccessKey,
  type FoundToken,
  findProject,
  findDefaultWorkspace,
  findToken,
  findWorkspace,
  listRegistryConnections,
  type RegistryConnection,
  type Viewer,
  type Workspace,
  workspacesSeenBy,
} from '@kiln/persistence';
import { openTtlCache } from './ttl-cache.ts';

/** How long an answer may be reused: a revoked key, token or workspace stops working within this time. */
export const directoryTtlMs = 2000;

/** Who is who, for the hot path of a request: PostgreSQL's answers, kept for two seconds. */
export interface Directory {
  accessKey(id: string): Promise<FoundAccessKey | undefined>;
  token(hash: string): Promise<FoundToken | undefined>;
  workspace(viewer: Viewer, by: { id: string; projectId?: string }): Promise<Workspace | undefined>;
  /** Where an image goes whose request names no workspace. */
  defaultWorkspace(viewer: Viewer): Promise<Workspace | undefined>;
  /** Ids of all workspaces that a viewer may see. */
  workspaceIds(viewer: Viewer): Promise<string[]>;
  hasProject(accountId: string, id: string): Promise<boolean>;
  registryConnection(accountId: string, id: string): Promise<RegistryConnection | undefined>;
}

/**
 * @param systemDb sees all accounts: for finding out who asks, and whether the path's project is theirs
 * @param db sees the caller's
 */
export function openDirectory(systemDb: Database, db: Database): Directory {
  // "Not there" is remembered as well: it spares the database a flood of bad keys.
  const remember = openTtlCache({ max: 10_000, ttl: directoryTtlMs });
  return {
    accessKey: (id) => remember(`key ${id}`, () => findAccessKey(systemDb, id)),
    token: (hash) => remember(`token ${hash}`, () => findToken(systemDb, hash)),
    workspace: (viewer, by) =>
      remember(`workspace ${viewer.userId} ${by.projectId ?? ''} ${by.id}`, () => findWorkspace(db, viewer, by)),
    defaultWorkspace: (viewer) =>
      remember(`default workspace ${viewer.userId}`, () => findDefaultWorkspace(db, viewer)),
    workspaceIds: (viewer) => remember(`workspaces ${viewer.userId}`, () => workspacesSeenBy(db, viewer)),
    hasProject: async (accountId, id) =>
      (await remember(`project ${accountId} ${id}`, () => findProject(systemDb, accountId, id))) !== undefined,
    async registryConnection(accountId, id) {
      const among = (connections: RegistryConnection[]) => connections.find((it) => it.id === id);
      const ask = () => listRegistryConnections(db, accountId);
      // One that was added just now is there, too: that one is not there is not remembered.
      return among(await remember(`registries ${accountId}`, ask)) ?? among(await ask());
    },
  };
}
