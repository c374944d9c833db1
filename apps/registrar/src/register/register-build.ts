import { backoffMs, crashPoint, inSpan } from '@kiln/kit';
import {
  announce,
  announceRegistration,
  type Build,
  cancelledError,
  claimRegistration,
  commitTagMove,
  deferRegistration,
  hasTagMove,
  moveBuild,
  type NewImage,
  recordPhase,
  succeedBuild,
  type VerifiedImage,
  withTagLock,
  inTransaction,
} from '@kiln/persistence';
import { type RegistryClient, type Verified, verifyImage } from '@kiln/registry';
import {
  asFault,
  asRecord,
  type BuildPhase,
  describeFault,
  Fault,
  fieldFault,
  formatReference,
  requestFields,
} from '@kiln/domain';
import { accessForBuild } from '@kiln/usecases';
import type { Lease } from '@kiln/worker';
import type { RegisterDeps } from '../deps.ts';
import { checkBeforeUse } from './check-before-use.ts';
import { imageOfBuild } from './image-of-build.ts';

/**
 * Ends a build: reads the pushed manifest back by digest, checks it whole, sets the tag under a lock, and writes the
 * catalogue entry with the terminal state. Setting the tag is the commit point; until then a cancel wins.
 */
export async function registerBuild(deps: RegisterDeps, id: string, attempt: number): Promise<void> {
  const { db } = deps;
  crashPoint('registration-fetched');
  // Whom PostgreSQL does not see counts as dead: somebody else is told of the build in a moment.
  if (!deps.leases.isConnected()) return;
  const claimedAtMs = performance.now();
  const build = await claimRegistration(db, id, attempt, deps.worker);
  if (!build) return;
  const facts = { 'kiln.build.id': id, 'kiln.attempt': attempt };
  await inSpan('register build', facts, () => register(deps, build, claimedAtMs), { parent: build.trace });
}

async function register(deps: RegisterDeps, build: Build, claimedAtMs: number): Promise<void> {
  const { db, log } = deps;
  const { id } = build;
  const lease = deps.leases.hold({ kind: 'build', id, fence: build.fence }, claimedAtMs);
  crashPoint('registration-claimed');
  let phase: BuildPhase = 'verify';
  const startedAtMs = Date.now();
  try {
    const { target } = await accessForBuild(db, deps.sealer, build);
    const client = deps.registries.for(target);
    if (build.digest === null) throw new Error(`build ${id} is registering without a digest`);
    const verified = await verifyImage(client, build.repository, build.digest, undefined);
    await recordPhase(db, build, { phase, startedAtMs, result: 'ok' }, 'register');
    phase = 'register';
    crashPoint('image-verified');
    const image = imageOfBuild(build, verified);
    const purpose = { ...image, labels: asRecord(image.labels) };
    // What is past its commit point has been judged.
    const isCommitted = await hasTagMove(db, id);
    const delayMs = isCommitted ? undefined : await checkBeforeUse(db, image, purpose, id);
    if (delayMs !== undefined) return await defer(deps, build, delayMs);
    await withTagLock(deps.locks, build, async () => {
      // A registrar that died after it set the tag must not take its own work for somebody else's.
      if (!build.overwrite && !isCommitted) await refuseOverwrite(build, client);
      await publish(deps, build, client, { verified, image }, lease, () => (phase = 'tag'));
    });
    log.info({ buildId: id, digest: build.digest }, 'build published');
  } catch (error) {
    await settle(deps, build, phase, startedAtMs, error);
  } finally {
    lease.release();
    deps.signals.send('progress', id);
  }
}

/** Checked again under the lock: the tag may have come to be while the build ran. */
async function refuseOverwrite(build: Build, client: RegistryClient): Promise<void> {
  const existing = await client.headManifest(build.repository, build.tag);
  if (!existing) return;
  throw fieldFault(
    'TagExists',
    requestFields.reference,
    `${formatReference(build)} came to exist meanwhile (${existing}) and ${requestFields.overwrite} is false`,
  );
}

async function publish(
  deps: RegisterDeps,
  build: Build,
  client: RegistryClient,
  { verified, image: entry }: { verified: Verified; image: NewImage & VerifiedImage },
  lease: Lease,
  onCommit: () => void,
): Promise<void> {
  const startedAtMs = Date.now();
  const committed = await commitTagMove(deps.db, build, verified.digest);
  if (committed === 'not-held') throw new Fault('Cancelled', 'stopped on request');
  if (committed === 'busy')
    throw new Fault('RegistryUnreachable', `waits for another build that is setting ${formatReference(build)}`);
  if (committed === 'name-taken') throw nameTaken(build);
  onCommit();
  crashPoint('tag-committed');
  if (committed === 'committed') {
    // Whoever took over sets the tag; one that was cut off must not do so behind its back.
    lease.throwIfStopped();
    await client.putManifest(build.repository, build.tag, verified.manifest, lease.signal);
    const found = await client.headManifest(build.repository, build.tag);
    if (found !== verified.digest)
      throw new Fault(
        'RegistryUnreachable',
        `${formatReference(build)} points to ${found ?? 'nothing'} after it was set to ${verified.digest}`,
      );
  }
  crashPoint('tag-set');
  const image = await succeedBuild(deps.db, build, entry, startedAtMs);
  crashPoint('catalogue-written');
  if (image === 'name-taken') throw nameTaken(build);
  if (!image) deps.log.warn({ buildId: build.id }, 'registration is no longer ours; dropped');
}

const nameTaken = (build: Build) =>
  fieldFault(
    'ImageNameDuplicated',
    requestFields.imageName,
    `another image of the workspace took the name ${build.imageName} meanwhile`,
  );

async function defer({ db, relay }: RegisterDeps, build: Build, delayMs: number): Promise<void> {
  await inTransaction(db, async (tx) => {
    if (await deferRegistration(tx, build, delayMs))
      await announce(tx, announceRegistration('build', build.id, build.attempt, { delayMs }));
  });
  relay.wake();
}

async function settle(
  deps: RegisterDeps,
  build: Build,
  phase: BuildPhase,
  startedAtMs: number,
  error: unknown,
): Promise<void> {
  const { db, log } = deps;
  const guard = { id: build.id, fence: build.fence };
  const stopped = { message: 'stopped on request', set: { error: cancelledError(phase, build.attempt) } };
  if (await moveBuild(db, { ...guard, from: ['cancelling'], to: 'cancelled', ...stopped })) return;
  const fault = asFault(error);
  // Could not find out, or trouble of our own: the build stays where it is and is looked at again.
  if (fault.code === 'RegistryUnreachable' || fault.code === 'InternalError') {
    log.warn({ buildId: build.id, code: fault.code, err: fault.cause }, fault.message);
    return defer(deps, build, backoffMs(3, 1000, 30_000));
  }
  await recordPhase(db, build, { phase, startedAtMs, result: 'failed' });
  await moveBuild(db, {
    ...guard,
    from: ['registering'],
    to: 'failed',
    message: fault.message,
    set: { error: describeFault(fault, phase, build.attempt) },
  });
}
