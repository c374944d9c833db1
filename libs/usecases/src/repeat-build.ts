import type { Sealer } from '@kiln/auth';
import { crashPoint, newBuildIds } from '@kiln/kit';
import {
  type Build,
  type Database,
  findByClientToken,
  type NewBuild,
  submitBuild,
  type Viewer,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { everyone } from '@kiln/contract';
import { bindingOf, type BuildRequest, Fault, isTerminal, type Lane, type Platform, poolOf } from '@kiln/domain';
import { requireOwner } from './authorize.ts';
import type { Quotas } from './quotas.ts';
import { openRegistryAuths } from './registry-access.ts';
import {
  answerSubmission,
  type Submitted,
  submitBuild as submitRequest,
  type SubmitBuildDeps,
} from './submit-build.ts';

/** Asked again, an operator gets the build that was made the first time. */
const foreverHours = 100 * 365 * 24;

export interface RepeatDeps {
  db: Database;
  sealer: Sealer;
  /** How long a client token stands for what it was used for first. */
  clientTokenHours: number;
}

const requireEnded = (build: Build): void => {
  if (!isTerminal(build.state))
    throw new Fault('BuildNotFinished', `build ${build.id} has not ended: it is ${build.state}; cancel it first`);
};

/** Whether a build ended by no fault of its own, so that the same inputs may come to another end. */
function requireRetryable(build: Build): void {
  const cls = build.error?.class;
  if (build.state === 'timed_out' || build.state === 'expired') return;
  // Only its push failed, and what the registry did not like may have been mended since.
  const onlyPush = build.phase === 'push' && ['PushDenied', 'RegistryRefused'].includes(build.error?.code ?? '');
  if (build.state === 'failed' && (onlyPush || cls === 'infra' || cls === 'upstream')) return;
  throw new Fault(
    'BuildNotRetryable',
    build.quarantinedAt
      ? `build ${build.id} is in quarantine; only an operator lets it run again`
      : `build ${build.id} ended as ${build.state}${build.error ? ` (${build.error.code})` : ''}: the same inputs would come to the same end; use rerun to build from its request anew`,
  );
}

/**
 * The same build once more, with the very inputs of the first and for the same user, after an end that was not its own
 * doing: a new build with a lineage, since an end never changes.
 * @throws Fault BuildNotFinished, BuildNotRetryable, ImageNameDuplicated, IdempotentParameterMismatch
 */
export async function retryBuild(
  deps: RepeatDeps & { signals: SignalBus; quotas: Quotas; platform: Platform },
  viewer: Viewer,
  build: Build,
  options: { clientToken?: string | undefined; lane?: Lane | undefined },
): Promise<Submitted> {
  requireOwner(viewer, build, `build ${build.id}`, 'operator');
  // What was accepted before is answered again, whatever has become of either build since.
  const known =
    options.clientToken !== undefined &&
    (await findByClientToken(deps.db, build.accountId, options.clientToken, deps.clientTokenHours));
  if (!known) {
    requireEnded(build);
    requireRetryable(build);
    // Whoever may not use a pool any longer gets no further builds there.
    poolOf(deps.platform.pools, build.request.resources, build.accountId);
    await deps.quotas.admitBuild(build.accountId);
  }
  const submitted = await repeat(deps, build, options);
  crashPoint('submission-committed');
  deps.signals.send('dispatch', everyone);
  return submitted;
}

/**
 * The same for a build in quarantine, at an operator's word; asked again, it gives the same new build.
 * @throws Fault BuildNotRetryable, ImageNameDuplicated
 */
export async function redriveBuild(deps: Omit<RepeatDeps, 'clientTokenHours'>, build: Build): Promise<Submitted> {
  if (!build.quarantinedAt) throw new Fault('BuildNotRetryable', `build ${build.id} is not in quarantine`);
  return repeat({ ...deps, clientTokenHours: foreverHours }, build, { clientToken: `redrive-${build.id}` });
}

async function repeat(
  { db, sealer, clientTokenHours }: RepeatDeps,
  build: Build,
  { clientToken, lane }: { clientToken?: string | undefined; lane?: Lane | undefined },
): Promise<Submitted> {
  const { buildId, jobId } = newBuildIds();
  const requestText = `retry ${build.id}`;
  const isSame = (hash: string) => sealer.isFingerprint(hash, requestText);
  const again: NewBuild = {
    id: buildId,
    jobId,
    accountId: build.accountId,
    projectId: build.projectId,
    workspaceId: build.workspaceId,
    userId: build.userId,
    clientToken: clientToken ?? null,
    requestHash: sealer.fingerprint(requestText),
    request: build.request,
    registryAuthsSealed:
      build.registryAuthsSealed === null
        ? null
        : sealer.seal(
            sealer.open(build.registryAuthsSealed, bindingOf('registryAuths', build.id)),
            bindingOf('registryAuths', buildId),
          ),
    displayName: build.displayName,
    registryConnectionId: build.registryConnectionId,
    host: build.host,
    repository: build.repository,
    tag: build.tag,
    lane: lane ?? build.lane,
    pool: build.pool,
    notes: build.notes,
    parent: { id: build.id, lineage: 'retry' },
  };
  const outcome = await submitBuild(db, again, clientTokenHours);
  return answerSubmission(outcome, { buildId, jobId }, isSame, build.imageName, build.workspaceId);
}

/** What a rerun replaces in the request that it repeats. */
export interface RerunChange {
  title?: string;
  name?: string;
  reference?: string;
  overwrite?: boolean;
}

/**
 * A new build from an ended one's request, checked as if it came anew and with what `change` replaces in it.
 * @throws Fault BuildNotFinished, and whatever a new request can be refused for
 */
export async function rerunBuild(
  deps: SubmitBuildDeps,
  viewer: Viewer,
  build: Build,
  change: RerunChange,
  options: { clientToken?: string | undefined; lane?: Lane | undefined },
): Promise<Submitted> {
  requireOwner(viewer, build, `build ${build.id}`, 'operator');
  // With credentials that came with another user's request, only that user and admins decide where an image goes.
  if (change.reference !== undefined || change.overwrite !== undefined)
    requireOwner(viewer, build, `build ${build.id}`);
  requireEnded(build);
  const auths =
    build.registryAuthsSealed === null
      ? {}
      : { auths: openRegistryAuths(deps.sealer, build.id, build.registryAuthsSealed) };
  const { image, target, ...rest } = build.request;
  const request: BuildRequest = {
    ...rest,
    ...(change.title === undefined ? {} : { title: change.title }),
    image: { ...image, name: change.name ?? image.name },
    target: {
      ...target,
      reference: change.reference ?? target.reference,
      overwrite: change.overwrite ?? target.overwrite,
    },
  };
  return submitRequest(deps, viewer, request, {
    ...auths,
    clientToken: options.clientToken,
    lane: options.lane ?? build.lane,
    parent: { id: build.id, lineage: 'rerun' },
  });
}
