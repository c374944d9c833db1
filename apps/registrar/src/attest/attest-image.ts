import {
  bundleType,
  newPrivateKey,
  readSigningKey,
  signatureAnnotation,
  signStatement,
  type SigningKey,
  simpleSignature,
  simpleSigningType,
} from '@kiln/attestations';
import { asFault, bindingOf, describeFault, Fault, formatImageName } from '@kiln/domain';
import { backoffMs, Secret } from '@kiln/kit';
import {
  type AttachedDocument,
  type Attestation,
  attestationAttemptsMax,
  failAttestation,
  findPolicy,
  recordAttached,
  signingKeyOf,
  whileLocked,
} from '@kiln/persistence';
import {
  addCosignLayers,
  attach,
  type CosignLayer,
  listByTag,
  type ReferrerEntry,
  type RegistryClient,
  type WithLock,
} from '@kiln/registry';
import { accessForDigest } from '@kiln/usecases';
import type { RegisterDeps } from '../deps.ts';
import { documentsOf } from './documents.ts';

export type AttestDeps = Pick<RegisterDeps, 'db' | 'locks' | 'sealer' | 'registries' | 'log'>;

async function keyFor({ db, sealer }: AttestDeps, accountId: string): Promise<SigningKey> {
  const stored = await signingKeyOf(db, accountId, () => {
    const pem = newPrivateKey();
    const { id, publicKey } = readSigningKey(pem);
    return { id, publicKey, privateSealed: sealer.seal(new Secret(pem), bindingOf('signingKey', id)) };
  });
  return readSigningKey(sealer.open(stored.privateSealed, bindingOf('signingKey', stored.id)).reveal());
}

/** What is known to be attached need not be attached again after a registrar has died at it. */
async function attachAll(
  deps: AttestDeps,
  claim: Attestation,
  client: RegistryClient,
  key: SigningKey,
  cosignTags: boolean,
): Promise<{ documents: AttachedDocument[]; attestations: CosignLayer[] } | undefined> {
  const { repository } = claim;
  const manifest = await client.getManifest(repository, claim.digest);
  if (!manifest)
    throw new Fault('ImagePathNotFound', `there is no image ${formatImageName({ ...claim, reference: claim.digest })}`);
  const subject = { mediaType: manifest.mediaType, digest: claim.digest, size: manifest.bytes.length };
  const documents = [...claim.documents];
  const unlisted: ReferrerEntry[] = [];
  const attestations: CosignLayer[] = [];
  for (const { kind, statement } of await documentsOf(deps.db, claim)) {
    const { predicateType } = statement;
    const bundle = signStatement(statement, key);
    if (cosignTags && kind !== 'signature')
      attestations.push({
        mediaType: 'application/vnd.dsse.envelope.v1+json',
        bytes: Buffer.from(JSON.stringify(bundle.dsseEnvelope)),
        annotations: { [signatureAnnotation]: '', predicateType },
      });
    if (documents.some((it) => it.kind === kind)) continue;
    const { entry, isListed, blob } = await attach(client, repository, subject, {
      artifactType: bundleType,
      bytes: Buffer.from(JSON.stringify(bundle)),
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': predicateType,
        'org.opencontainers.image.created': claim.createdAt.toISOString(),
      },
    });
    const { digest, size } = blob;
    documents.push({ kind, predicateType, digest: entry.digest, bundle: digest, size, keyId: key.id });
    if (!isListed) unlisted.push(entry);
    // What is in no list yet is not attached.
    if (unlisted.length === 0 && !(await recordAttached(deps.db, claim, documents, false))) return undefined;
  }
  if (unlisted.length === 0) return { documents, attestations };
  // Nothing is listed of an image that somebody else attends to by now, or that is gone.
  if (!(await recordAttached(deps.db, claim, claim.documents, false))) return undefined;
  const withLock: WithLock = (name, work) => whileLocked(deps.locks, name, work);
  await listByTag(client, repository, subject.digest, unlisted, withLock);
  if (!(await recordAttached(deps.db, claim, documents, false))) return undefined;
  return { documents, attestations };
}

async function addCosignTags(
  { locks }: AttestDeps,
  { id: owner, host, repository, digest }: Attestation,
  client: RegistryClient,
  key: SigningKey,
  attestations: CosignLayer[],
): Promise<void> {
  const withLock: WithLock = (name, work) => whileLocked(locks, name, work);
  const { payload, signature } = simpleSignature({ name: `${host}/${repository}`, digest }, key);
  const signed = { mediaType: simpleSigningType, bytes: payload, annotations: { [signatureAnnotation]: signature } };
  await addCosignLayers(client, repository, digest, 'sig', { owner, layers: [signed] }, withLock);
  await addCosignLayers(client, repository, digest, 'att', { owner, layers: attestations }, withLock);
}

/** Attaches to an image what Kiln knows of it: provenance, SBOMs, and a signature. */
export async function attestImage(deps: AttestDeps, claim: Attestation): Promise<void> {
  const { db, sealer, registries, log } = deps;
  try {
    const client = registries.for(await accessForDigest(db, sealer, claim));
    const key = await keyFor(deps, claim.accountId);
    const { cosignTags } = await findPolicy(db, claim.accountId, claim.workspaceId);
    const attached = await attachAll(deps, claim, client, key, cosignTags);
    if (!attached) return;
    if (cosignTags) await addCosignTags(deps, claim, client, key, attached.attestations);
    await recordAttached(db, claim, attached.documents, true);
    log.info({ attestationId: claim.id, documents: attached.documents.length }, 'documents attached');
  } catch (error) {
    const fault = asFault(error);
    const mayPass =
      ['RegistryUnreachable', 'InternalError'].includes(fault.code) && claim.attempt < attestationAttemptsMax;
    log.warn({ attestationId: claim.id, code: fault.code, err: fault.cause }, fault.message);
    const delayMs = mayPass ? backoffMs(claim.attempt, 2000, 300_000) : undefined;
    await failAttestation(db, claim, describeFault(fault, 'register', claim.attempt), delayMs);
  }
}
