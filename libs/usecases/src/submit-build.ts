import type { Sealer } from '@kiln/auth';
import {
  bindingOf,
  type BuildRequest,
  contextsToFetch,
  fieldFault,
  type Lane,
  limitsOf,
  networkOf,
  type PackageRules,
  parseReference,
  parseRequest,
  type Platform,
  poolOf,
  requestFields,
  requirePackageInstallation,
  stagingTag,
} from '@kiln/domain';
import { crashPoint, newBuildIds, Secret } from '@kiln/kit';
import {
  type Database,
  findByClientToken,
  type NewBuild,
  submitBuild as insertBuild,
  type SubmitOutcome,
  type Viewer,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import type { Sources } from '@kiln/sources';
import { everyone } from '@kiln/contract';
import stringify from 'safe-stable-stringify';
import { requireBuildSecrets } from './build-secrets.ts';
import type { Directory } from './directory.ts';
import type { Quotas } from './quotas.ts';
import type { RegistryAuths } from './registry-access.ts';
import { requireConnection, requireWorkspace } from './resolve.ts';
import { settleSource } from './settle-source.ts';
import { type ContextsAtHand, isToBeFetched, withContext } from './with-context.ts';

export interface SubmitBuildDeps extends ContextsAtHand {
  sources: Sources;
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
 * Checks a request whole, then accepts it in one commit. Nothing is written before.
 * @throws Fault that names the field
 */
export async function submitBuild(
  {
    db,
    directory,
    sealer,
    signals,
    quotas,
    platform,
    packageRules,
    clientTokenHours,
    contexts,
    sources,
  }: SubmitBuildDeps,
  viewer: Viewer,
  asked: BuildRequest,
  how: { auths?: RegistryAuths; clientToken?: string | undefined; lane: Lane; parent?: NewBuild['parent'] },
): Promise<Submitted> {
  const { clientToken, auths } = how;
  const reference = parseReference(asked.target.reference, requestFields.reference);
  if (reference.tag === stagingTag)
    throw fieldFault('InvalidParameter', requestFields.reference, `the tag ${stagingTag} is used by Kiln itself`);
  if ((asked.context !== undefined || asked.namedContexts !== undefined) && asked.form === 'packages')
    throw fieldFault('InvalidParameter', requestFields.form, 'a PackageInstallation has no files to copy');
  // The order in which hosts were written makes no other request; nor does what a branch stands for by now.
  const whole: object = { ...asked, registryHosts: undefined, auths };
  const requestText = stringify(whole);
  const isSame = (hash: string) => sealer.isFingerprint(hash, requestText);
  // One that came before is answered again, also when its repository is away by now.
  const before =
    contextsToFetch(asked).length > 0 && clientToken !== undefined
      ? await findByClientToken(db, viewer.accountId, clientToken, clientTokenHours)
      : undefined;
  if (before) {
    const outcome = { outcome: 'token-used' as const, ...before };
    return answerSubmission(outcome, { buildId: before.id, jobId: before.jobId }, isSame, asked.image.name, '');
  }
  const settled = await settleSource({ db, sealer, sources }, viewer.accountId, asked);
  const request = await withContext({ db, contexts }, viewer.accountId, settled);
  // Where a builder has to fetch the Dockerfile, it is the builder that reads it.
  const parsed = isToBeFetched(request) ? undefined : parseRequest(request);
  if (parsed && request.form === 'packages') requirePackageInstallation(parsed, packageRules);

  const workspace = await requireWorkspace(directory, viewer, { id: request.workspaceId }, requestFields.workspace);
  const { connection: name } = request.target;
  const connection = await requireConnection(directory, viewer.accountId, name, reference, requestFields);
  // What they give is looked up again when the build runs; here it is whether there are such, and what is to be said of
  // them.
  const notes = [limitsOf(platform, request.resources), networkOf(platform.networks, request.network)].flatMap(
    (it) => it.note ?? [],
  );
  const pool = poolOf(platform.pools, request.resources, viewer.accountId);

  if (parsed) await requireBuildSecrets(db, viewer.accountId, parsed.secrets);
  // A request that was accepted before is answered again, however full it is by now.
  const takeBack = await quotas.admitBuild(viewer.accountId).catch(async (full: unknown) => {
    if (clientToken === undefined || !(await findByClientToken(db, viewer.accountId, clientToken, clientTokenHours)))
      throw full;
  });
  const { buildId, jobId } = newBuildIds();
  const build: NewBuild = {
    id: buildId,
    jobId,
    accountId: viewer.accountId,
    projectId: workspace.projectId,
    workspaceId: workspace.id,
    userId: viewer.userId,
    clientToken: clientToken ?? null,
    requestHash: sealer.fingerprint(requestText),
    request,
    registryAuthsSealed: auths
      ? sealer.seal(new Secret(JSON.stringify(auths)), bindingOf('registryAuths', buildId))
      : null,
    displayName: request.title ?? request.image.name,
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
  const submitted = answerSubmission(accepted, { buildId, jobId }, isSame, request.image.name, workspace.id);
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
      throw fieldFault(
        'IdempotentParameterMismatch',
        requestFields.clientToken,
        `was used with another body, for ${outcome.id}`,
      );
    case 'name-taken':
      throw fieldFault(
        'ImageNameDuplicated',
        requestFields.imageName,
        `an image or a running build of workspace ${workspaceId} is called ${imageName}`,
      );
  }
}
