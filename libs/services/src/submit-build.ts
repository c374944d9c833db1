import { type Sealer } from '@kiln/auth';
import { parseDockerfile, requirePackageInstallation, stagingTag } from '@kiln/engine';
import { newBuildIds, Secret } from '@kiln/kit';
import { type BuildSpec, type Database, submitBuild as insertBuild, type Viewer } from '@kiln/persistence';
import { type Relay } from '@kiln/queue';
import { type CreateImageBuildBody, Fault, parseReference } from '@kiln/schemas';
import stringify from 'safe-stable-stringify';
import { type Directory } from './directory.ts';
import { requireConnection, requireWorkspace } from './named-things.ts';
import { registryAuthsBinding } from './registry-access.ts';

export interface SubmitBuildDeps {
  db: Database;
  directory: Directory;
  sealer: Sealer;
  relay: Relay;
}

/**
 * PAI's CreateImageBuild: checks the request whole, then accepts it in one commit. Nothing is written before.
 * @returns the ids; `replayed` when the same request came before with the same token
 * @throws Fault that names the field
 */
export async function submitBuild(
  { db, directory, sealer, relay }: SubmitBuildDeps,
  viewer: Viewer,
  body: CreateImageBuildBody,
  clientToken: string | undefined,
): Promise<{ buildId: string; jobId: string; replayed: boolean }> {
  const reference = parseReference(body.Image.Uri, 'Image.Uri');
  if (reference.tag === stagingTag)
    throw new Fault('InvalidParameter', `Image.Uri: the tag ${stagingTag} is used by Kiln itself`, {
      field: 'Image.Uri',
    });
  const parsed = parseDockerfile(body.BuildConfig.Dockerfile);
  if (body.BuildConfig.BuildType === 'PackageInstallation') requirePackageInstallation(parsed);

  const [workspace, connections] = await Promise.all([
    requireWorkspace(directory, viewer, { id: body.WorkspaceId }, 'WorkspaceId'),
    directory.registryConnections(viewer.accountId),
  ]);
  const connection = requireConnection(connections, body.TargetRegistry.InstanceId, reference, {
    connection: 'TargetRegistry.InstanceId',
    reference: 'Image.Uri',
  });

  const { RegistryAuths, ...config } = body.BuildConfig;
  const spec: BuildSpec = { ...body, BuildConfig: { ...config, RegistryAuthHosts: Object.keys(RegistryAuths ?? {}) } };
  const { buildId, jobId } = newBuildIds();
  const requestHash = sealer.fingerprint(stringify(body));
  const accepted = await insertBuild(db, {
    id: buildId,
    jobId,
    accountId: viewer.accountId,
    projectId: workspace.projectId,
    workspaceId: workspace.id,
    userId: viewer.userId,
    clientToken: clientToken ?? null,
    requestHash,
    spec,
    registryAuthsSealed: RegistryAuths
      ? sealer.seal(new Secret(JSON.stringify(RegistryAuths)), registryAuthsBinding(buildId))
      : null,
    displayName: body.ImageBuildJobName ?? body.Image.Name,
    registryConnectionId: connection.id,
    host: reference.host,
    repository: reference.repository,
    tag: reference.tag,
  });
  switch (accepted.outcome) {
    case 'accepted':
      relay.nudge();
      return { buildId, jobId, replayed: false };
    case 'token-used':
      if (accepted.requestHash === requestHash) return { buildId: accepted.id, jobId: accepted.jobId, replayed: true };
      throw new Fault('IdempotentParameterMismatch', `ClientToken: was used with another body, for ${accepted.id}`, {
        field: 'ClientToken',
      });
    case 'name-taken':
      throw new Fault(
        'ImageNameDuplicated',
        `Image.Name: an image or a running build of workspace ${workspace.id} is called ${body.Image.Name}`,
        {
          field: 'Image.Name',
        },
      );
  }
}
