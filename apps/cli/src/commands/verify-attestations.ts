import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AttestationKind, type Bundle, openBundle, predicateTypes } from '@kiln/attestations';
import { answer, type Api } from '../api.ts';
import { CommandError, exitCodes } from '../exit.ts';

/** What is attached to an image, and whether a key that was trusted has signed it. */
export interface VerifiedAttestations {
  /** With its digest. */
  Image: string;
  Attestations: { Kind: string; Digest?: string; Verified: boolean; KeyId?: string; Reason?: string }[];
}

/** @throws CommandError */
function readKey(file: string): string {
  try {
    const pem = readFileSync(file, 'utf8');
    createPublicKey(pem);
    return pem;
  } catch (error) {
    const why = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'is not there' : 'is no key';
    throw new CommandError(`--key: ${file} ${why}; it must be a public key in PEM`);
  }
}

const isKind = (it: string): it is AttestationKind => Object.hasOwn(predicateTypes, it);

/**
 * Verifies here what the api hands out of the registry: that one of the keys has signed each document, that it is about
 * the image, and that it is what it is called. The digest of the image is the one that the api names.
 * @param options.keys PEM files of the public keys that are trusted; those that the api names when there are none
 * @param options.require kinds that have to be there
 * @throws CommandError when nothing is attached
 */
export async function verifyAttestations(
  api: Api,
  imageId: string,
  options: { keys: readonly string[]; require: readonly string[] },
): Promise<VerifiedAttestations> {
  const unknown = options.require.find((it) => !isKind(it));
  if (unknown !== undefined)
    throw new CommandError(`--require: ${unknown} is none of ${Object.keys(predicateTypes).join(', ')}`);
  const own = options.keys.map((it) => [it, readKey(it)] as const);
  const path = { ImageId: imageId };
  const listed = await answer(api.GET('/api/v1/images/{ImageId}/attestations', { params: { path } }));
  if (listed.Attestations.length === 0)
    throw new CommandError(
      `nothing is attached to ${listed.Image}`,
      exitCodes.refused,
      listed.Message ?? 'a policy of its workspace says whether something is',
    );
  const keys = new Map(
    own.length > 0
      ? own
      : (await answer(api.GET('/api/v1/signingkeys'))).SigningKeys.map((it) => [it.KeyId, it.PublicKey] as const),
  );
  const digest = listed.Image.slice(listed.Image.indexOf('@sha256:') + '@sha256:'.length);
  const found: VerifiedAttestations['Attestations'] = [];
  for (const { Kind, Digest } of listed.Attestations) {
    const document = await answer(
      api.GET('/api/v1/images/{ImageId}/attestations/{Digest}', { params: { path: { ...path, Digest } } }),
    );
    found.push({ Kind, Digest, ...judge(document.Bundle, keys, Kind, digest) });
  }
  for (const Kind of options.require)
    if (!found.some((it) => it.Kind === Kind)) found.push({ Kind, Verified: false, Reason: 'it is not attached' });
  return { Image: listed.Image, Attestations: found };
}

function judge(
  bundle: Record<string, unknown>,
  keys: ReadonlyMap<string, string>,
  kind: string,
  digest: string,
): { Verified: boolean; KeyId?: string; Reason?: string } {
  try {
    const opened = openBundle(bundle as unknown as Bundle, keys);
    if (!opened) return { Verified: false, Reason: 'none of the keys has signed it' };
    const { statement, keyId } = opened;
    if (!statement.subject.some((it) => it.digest.sha256 === digest))
      return { Verified: false, KeyId: keyId, Reason: 'it is about another image' };
    if (!isKind(kind) || statement.predicateType !== predicateTypes[kind])
      return { Verified: false, KeyId: keyId, Reason: `it is something else: ${statement.predicateType}` };
    return { Verified: true, KeyId: keyId };
  } catch {
    return { Verified: false, Reason: 'it is no signed statement that can be read' };
  }
}
