import { backoffMs, inSpan, timings } from '@kiln/kit';
import {
  announce,
  announceRegistration,
  claimImage,
  findAttestation,
  type Image,
  inTransaction,
  noteOnImage,
  removeAttestation,
  type RepositoryUse,
  type Settled,
  settleImage,
  showImage,
  useOfRepository,
  whileLocked,
} from '@kiln/persistence';
import { detach, indexTypes, type RegistryClient, verifyImage } from '@kiln/registry';
import { asFault, asRecord, describeFault, Fault, formatReference } from '@kiln/domain';
import { accessForImage } from '@kiln/usecases';
import type { Lease } from '@kiln/worker';
import { archOf } from './arch-of.ts';
import { checkBeforeUse } from './check-before-use.ts';
import type { RegisterDeps } from '../deps.ts';

/** A registry that has said nothing for so long is told of to those who ask for the image. */
const silenceMs = 2000;

/**
 * Does what is to be done about a catalogue entry: finds out what the registry holds under it, or, when the entry was
 * deleted, takes its manifest out of the registry.
 */
export async function registerImage(deps: RegisterDeps, id: string): Promise<void> {
  const { db } = deps;
  if (!deps.leases.isConnected()) return;
  const claimedAtMs = performance.now();
  const image = await claimImage(db, id, deps.worker);
  if (!image) return;
  await inSpan('register image', { 'kiln.image.id': id }, () => lookAt(deps, image, claimedAtMs));
  deps.signals.send('registered', id);
}

async function lookAt(deps: RegisterDeps, image: Image, claimedAtMs: number): Promise<void> {
  const { db, log } = deps;
  const { id } = image;
  const lease = deps.leases.hold({ kind: 'image', id, fence: image.fence }, claimedAtMs);
  const silence = `registry ${image.host} has not answered in full yet`;
  const late = setTimeout(() => void noteOnImage(db, image, silence).catch(() => undefined), silenceMs);
  try {
    const settled = image.status === 'DELETED' ? await purge(deps, image, lease) : await verify(deps, image);
    if (settled.outcome === 'deferred') return await defer(deps, image, settled.reason, settled.delayMs);
    await settleImage(db, image, settled);
    log.info({ imageId: id, outcome: settled.outcome }, 'image looked at');
  } catch (error) {
    await settleFailure(deps, image, error);
  } finally {
    clearTimeout(late);
    lease.release();
  }
}

async function clientFor({ db, sealer, registries }: RegisterDeps, image: Image) {
  return registries.for(await accessForImage(db, sealer, image));
}

/** An entry of a build stands for the digest that was built; one from outside for whatever its tag points to now. */
async function verify(deps: RegisterDeps, image: Image): Promise<Settled> {
  const reference = image.via === 'build' && image.digest !== null ? image.digest : image.tag;
  const client = await clientFor(deps, image);
  // Only ModelArts' users say what it is for.
  const declared = image.via === 'modelarts' ? image.arch : undefined;
  const { digest, mediaType, platforms, sizeBytes, history } = await verifyImage(
    client,
    image.repository,
    reference,
    declared,
  );
  const verified = { digest, mediaType, platforms, sizeBytes, history, arch: declared ?? archOf(platforms) };
  const { labels } = await showImage(deps.db, image);
  const purpose = { ...image, labels: asRecord(labels) };
  try {
    const delayMs = await checkBeforeUse(deps.db, { ...image, ...verified }, purpose);
    if (delayMs !== undefined) return { outcome: 'deferred', reason: 'waits until its layers are read', delayMs };
  } catch (error) {
    const fault = asFault(error);
    if (fault.code !== 'PolicyRefused') throw error;
    return { outcome: 'refused', error: describeFault(fault, 'verify', image.attempt), verified };
  }
  return { outcome: 'verified', verified };
}

async function purge(deps: RegisterDeps, image: Image, lease: Lease): Promise<Settled> {
  const { digest } = image;
  if (digest === null) return { outcome: 'purged', message: '' };
  const client = await clientFor(deps, image);
  const { entries, unsettled } = await useOfRepository(deps.db, image);
  // What is on its way may turn out to be this very manifest.
  if (unsettled) throw new Fault('RegistryUnreachable', `waits for what is being published to ${image.repository}`);
  if (await isNeeded(client, image.repository, digest, entries))
    return {
      outcome: 'purged',
      message: `the registry keeps ${digest}: another image of ${image.repository} needs it`,
    };
  lease.throwIfStopped();
  // Before the image itself: who takes over must find what is left to do.
  await forgetDocuments(deps, client, { ...image, digest });
  if ((await client.headManifest(image.repository, digest)) === undefined) return { outcome: 'purged', message: '' };
  const removed = await client.deleteManifest(image.repository, digest);
  return {
    outcome: 'purged',
    message: removed ? '' : `registry ${image.host} does not delete manifests; it keeps ${formatReference(image)}`,
  };
}

/** What was attached to an image goes with it. */
async function forgetDocuments({ db, locks }: RegisterDeps, client: RegistryClient, image: Image & { digest: string }) {
  const attached = await findAttestation(db, image);
  if (!attached) return;
  const documents = attached.documents.map((it) => it.digest);
  await detach(client, image.repository, image.digest, documents, (name, work) => whileLocked(locks, name, work));
  await removeAttestation(db, attached.id);
}

/** Whether one of the entries stands for a manifest, itself or as the index that it is part of. */
async function isNeeded(
  client: RegistryClient,
  repository: string,
  digest: string,
  entries: RepositoryUse['entries'],
): Promise<boolean> {
  if (entries.some((it) => it.digest === digest)) return true;
  for (const it of entries.filter(({ mediaType }) => indexTypes.includes(mediaType ?? ''))) {
    const index = await client.getManifest(repository, it.digest);
    if (index?.bytes.includes(digest)) return true;
  }
  return false;
}

const defer = ({ db }: RegisterDeps, image: Image, reason: string, delayMs: number): Promise<void> =>
  inTransaction(db, async (tx) => {
    if (await settleImage(tx, image, { outcome: 'deferred', reason, delayMs }))
      await announce(tx, announceRegistration('image', image.id, image.attempt, { delayMs }));
  });

const triesMin = 2;
const { registrationPauseMs, registrationPauseMaxMs } = timings;

/** How long until the registration of an image is given up; Infinity for one that is in the catalogue. */
const leftMs = ({ status, createdAt }: Image, registrationSeconds: number): number =>
  status === 'CREATING' ? createdAt.getTime() + registrationSeconds * 1000 - Date.now() : Infinity;

async function settleFailure(deps: RegisterDeps, image: Image, error: unknown): Promise<void> {
  const { db, log, registrationSeconds } = deps;
  const fault = asFault(error);
  const left = leftMs(image, registrationSeconds);
  const mayPass = fault.code === 'RegistryUnreachable' || fault.code === 'InternalError';
  // One try is none: registrars may have been away until now.
  if (mayPass && (left > 0 || image.attempt < triesMin)) {
    log.warn({ imageId: image.id, code: fault.code, err: fault.cause }, fault.message);
    const backOff = Math.max(
      backoffMs(image.attempt, registrationPauseMs, registrationPauseMaxMs),
      Math.min(fault.details.retryAfterMs ?? 0, registrationPauseMaxMs),
    );
    const delayMs = Math.max(0, Math.min(backOff, left));
    return defer(deps, image, fault.message, delayMs);
  }
  log.info({ imageId: image.id, code: fault.code }, 'image refused');
  const ended = mayPass ? new Fault(fault.code, `${fault.message}; given up after ${registrationSeconds} s`) : fault;
  await settleImage(
    db,
    image,
    image.status === 'DELETED'
      ? { outcome: 'purged', message: fault.message }
      : { outcome: 'refused', error: describeFault(ended, 'verify', image.attempt) },
  );
}
