import { type Bundle, newPrivateKey, openBundle, readSigningKey, type SigningKey } from '@kiln/attestations';
import type { Sealer } from '@kiln/auth';
import { attestationOperations } from '@kiln/contract';
import { bindingOf, Fault, fieldFault, formatImageName } from '@kiln/domain';
import { Secret } from '@kiln/kit';
import {
  addSigningKey,
  type Database,
  findAttestation,
  type Image,
  listSigningKeys,
  retireSigningKey,
} from '@kiln/persistence';
import type { RegistryClients } from '@kiln/registry';
import { accessForImage } from '@kiln/usecases';
import { z } from 'zod';
import type { Caller } from '../callers/caller.ts';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { requireImage } from '../usecases/require-image.ts';

interface AttestationDeps {
  db: Database;
  /** An image that others may see belongs to an account of its own, and so does what is attached to it. */
  systemDb: Database;
  sealer: Sealer;
  registries: RegistryClients;
}

/** An SBOM of 40,000 packages has some 15 MB. */
const bundleBytesMax = 64 << 20;
const bundle = z.looseObject({
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.string(),
    signatures: z.array(z.object({ sig: z.string(), keyid: z.string().default('') })).max(10),
  }),
});

/** @throws Fault InvalidParameter */
function readKey(pem: string): SigningKey {
  try {
    return readSigningKey(pem);
  } catch {
    throw fieldFault(
      'InvalidParameter',
      'PrivateKey',
      'must be a private key of the curve P-256 in PEM, not encrypted',
    );
  }
}

function parseBundle(bytes: Buffer): Pick<Bundle, 'dsseEnvelope'> {
  try {
    return bundle.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    throw new Fault('ManifestInvalid', 'the document is not a Sigstore bundle of a statement');
  }
}

/** What is attached to images, and the keys that sign it. */
export function attestationRoutes({ db, systemDb, sealer, registries }: AttestationDeps): Route[] {
  async function imageOf(viewer: Caller, paiId: string): Promise<Image & { digest: string }> {
    const image = await requireImage(db, viewer, paiId);
    return { ...image, digest: image.digest ?? '' };
  }
  return [
    route(attestationOperations.ListAttestations, async ({ viewer, params, requestId }) => {
      const image = await imageOf(viewer, params.ImageId);
      const found = await findAttestation(systemDb, image);
      return {
        body: {
          RequestId: requestId,
          State: found?.state ?? ('none' as const),
          Image: formatImageName({ ...image, reference: image.digest || image.tag }),
          ...optional('Code', found?.error?.code),
          ...optional('Message', found?.error?.message),
          ...optional('GmtWriteTime', found?.writtenAt?.toISOString()),
          Attestations: (found?.documents ?? []).map((it) => ({
            Kind: it.kind,
            PredicateType: it.predicateType,
            Digest: it.digest,
            Bundle: it.bundle,
            Size: it.size,
            KeyId: it.keyId,
          })),
        },
      };
    }),
    route(attestationOperations.GetAttestation, async ({ viewer, params, requestId }) => {
      const image = await imageOf(viewer, params.ImageId);
      const wanted = (await findAttestation(systemDb, image))?.documents.find((it) => it.digest === params.Digest);
      if (!wanted)
        throw new Fault('AttestationNotFound', `nothing is attached to ${params.ImageId} as ${params.Digest}`);
      const client = registries.for(await accessForImage(systemDb, sealer, image));
      const bytes = await client.getBlob(image.repository, wanted.bundle, bundleBytesMax);
      if (!bytes)
        throw new Fault('AttestationNotFound', `registry ${image.host} does not hold ${wanted.bundle} any more`);
      const read = parseBundle(bytes);
      const keys = await listSigningKeys(systemDb, image.accountId);
      const opened = openBundle(
        read,
        new Map(keys.filter((it) => it.id === wanted.keyId).map((it) => [it.id, it.publicKey])),
      );
      const isOfImage = opened?.statement.subject.some((it) => `sha256:${it.digest.sha256}` === image.digest) ?? false;
      const reason = opened ? 'it is about another image' : 'no key of the account or the installation has signed it';
      return {
        body: {
          RequestId: requestId,
          Verified: isOfImage,
          ...(isOfImage ? {} : { Reason: reason }),
          ...optional('KeyId', opened?.keyId),
          ...optional('Statement', opened && { ...opened.statement }),
          Bundle: { ...read },
        },
      };
    }),
    route(attestationOperations.ListSigningKeys, async ({ viewer, requestId }) => ({
      body: {
        RequestId: requestId,
        SigningKeys: (await listSigningKeys(systemDb, viewer.accountId)).map((it) => ({
          KeyId: it.id,
          Owner: it.accountId === null ? ('installation' as const) : ('account' as const),
          PublicKey: it.publicKey,
          GmtCreateTime: it.createdAt.toISOString(),
          ...optional('GmtRetireTime', it.retiredAt?.toISOString()),
        })),
      },
    })),
    route(attestationOperations.CreateSigningKey, async ({ viewer, body, requestId }) => {
      const pem = body.PrivateKey ?? newPrivateKey();
      const { id, publicKey } = readKey(pem);
      const privateSealed = sealer.seal(new Secret(pem), bindingOf('signingKey', id));
      await addSigningKey(db, { id, accountId: viewer.accountId, publicKey, privateSealed });
      const reply = { RequestId: requestId, KeyId: id, PublicKey: publicKey, GmtCreateTime: new Date().toISOString() };
      return { status: 201, body: reply };
    }),
    route(attestationOperations.DeleteSigningKey, async ({ viewer, params, requestId }) => {
      if (!(await retireSigningKey(db, viewer.accountId, params.KeyId)))
        throw new Fault('SigningKeyNotFound', `the account has no key ${params.KeyId} that signs`);
      return { body: { RequestId: requestId } };
    }),
  ];
}
