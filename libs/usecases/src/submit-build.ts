import { type Sealer } from '@kiln/auth';
import {
  bindingOf,
  Fault,
  type Lane,
  type PackageRules,
  parseDockerfile,
  parseReference,
  requirePackageInstallation,
} from '@kiln/domain';
import { stagingTag } from '@kiln/engine';
import { crashPoint, newBuildIds, Secret } from '@kiln/kit';
import {
  type BuildSpec,
  type Database,
  findByClientToken,
  type NewBuild,
  submitBuild as insertBuild,
  type SubmitOutcome,
  type Viewer,
} from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { type CreateImageBuildBody, everyone, limitsOf, networkOf, poolOf, type Platform } from '@kiln/contract';
import stringify from 'safe-stable-stringify';
import { requireBuildSecrets } from './build-secrets.ts';
import { type Directory } from './directory.ts';
import { requireConnection, requireWorkspace } from './resolve.ts';
import { type Quotas } from './quotas.ts';

export interface SubmitBuildDeps {
  db: Database;
  directory: Directory;
  sealer: Sealer;
  signals: SignalBus;
  quotas: Quotas;
  platform: Platform;
  /** What a PackageInstallation may hold. */
  packageRules: PackageRules;
  /** How long a client token stands for what it was used for first. */
  clientTokenHours: number;
}

export interface Submitted {
  buildId: string;
  jobId: string;
  /** The same request came before with the same token. */
  replayed: boolean;
}

/**
 * PAI's CreateImageBuild: checks the request whole, then accepts it in one commit. Nothing is written before.
 * @throws Fault that names the field
 */
export async function submitBuild(
  { db, directory, sealer, signals, quotas, platform, packageRules, clientTokenHours }: SubmitBuildDeps,
  viewer: Viewer,
  body: CreateImageBuildBody,
  how: { clientToken?: string | undefined; lane: Lane; parent?: NewBuild['parent'] },
): Promise<Submitted> {
  const { clientToken } = how;
  const reference = parseReference(body.Image.Uri, 'Image.Uri');
  if (reference.tag === stagingTag)
    throw new Fault('InvalidParameter', `Image.Uri: the tag ${stagingTag} is used by Kiln itself`, {
      field: 'Image.Uri',
    });
  const parsed = parseDockerfile(body.BuildConfig.Dockerfile);
  if (body.BuildConfig.BuildType === 'PackageInstallation') requirePackageInstallation(parsed, packageRules);

  const [workspace, connections] = await Promise.all([
    requireWorkspace(directory, viewer, { id: body.WorkspaceId }, 'WorkspaceId'),
    directory.registryConnections(viewer.accountId),
  ]);
  const connection = requireConnection(connections, body.TargetRegistry.InstanceId, reference, {
    connection: 'TargetRegistry.InstanceId',
    reference: 'Image.Uri',
  });
  // What they give is looked up again when the build runs; here it is whether there are such, and what is to be said of
  // them.
  const notes = [limitsOf(platform, body.Resource), networkOf(platform.networks, body.UserVpc)].flatMap(
    (it) => it.note ?? [],
  );
  const pool = poolOf(platform.pools, body.Resource, viewer.accountId);

  await requireBuildSecrets(db, viewer.accountId, parsed.secrets);
  // A request that was accepted before is answered again, however full it is by now.
  const takeBack = await quotas.admitBuild(viewer.accountId).catch(async (full: unknown) => {
    if (clientToken === undefined || !(await findByClientToken(db, viewer.accountId, clientToken, clientTokenHours)))
      throw full;
  });
  const { RegistryAuths, ...config } = body.BuildConfig;
  const spec: BuildSpec = { ...body, BuildConfig: { ...config, RegistryAuthHosts: Object.keys(RegistryAuths ?? {}) } };
  const { buildId, jobId } = newBuildIds();
  const requestText = stringify(body);
  const isSame = (hash: string) => sealer.isFingerprint(hash, requestText);
  const build: NewBuild = {
    id: buildId,
    jobId,
    accountId: viewer.accountId,
    projectId: workspace.projectId,
    workspaceId: workspace.id,
    userId: viewer.userId,
    clientToken: clientToken ?? null,
    requestHash: sealer.fingerprint(requestText),
    spec,
    registryAuthsSealed: RegistryAuths
      ? sealer.seal(new Secret(JSON.stringify(RegistryAuths)), bindingOf('registryAuths', buildId))
      : null,
    displayName: body.ImageBuildJobName ?? body.Image.Name,
    registryConnectionId: connection.id,
    host: reference.host,
    repository: reference.repository,
    tag: reference.tag,
    lane: how.lane,
    pool,
    notes,
    ...(how.parent ? { parent: how.parent } : {}),
  };
  const accepted = await insertBuild(db, build, clientTokenHours);
  if (accepted.outcome !== 'accepted') takeBack?.();
  const submitted = answerSubmission(accepted, { buildId, jobId }, isSame, body.Image.Name, workspace.id);
  crashPoint('submission-committed');
  if (!submitted.replayed) signals.send('dispatch', everyone);
  return submitted;
}

/**
 * What the caller hears of a submission that came to the database.
 * @throws Fault ImageNameDuplicated, IdempotentParameterMismatch
 */
export function answerSubmission(
  outcome: SubmitOutcome,
  ids: { buildId: string; jobId: string },
  isSame: (requestHash: string) => boolean,
  imageName: string,
  workspaceId: string,
): Submitted {
  switch (outcome.outcome) {
    case 'accepted':
      return { ...ids, replayed: false };
    case 'token-used':
      if (isSame(outcome.requestHash)) return { buildId: outcome.id, jobId: outcome.jobId, replayed: true };
      throw new Fault('IdempotentParameterMismatch', `ClientToken: was used with another body, for ${outcome.id}`, {
        field: 'ClientToken',
      });
    case 'name-taken':
      throw new Fault(
        'ImageNameDuplicated',
        `Image.Name: an image or a running build of workspace ${workspaceId} is called ${imageName}`,
        { field: 'Image.Name' },
      );
  }
}
