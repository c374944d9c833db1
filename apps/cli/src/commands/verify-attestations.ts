import { readFileSync } from 'node:fs';
import { type Bundle, openBundle } from '@kiln/attestations';
import { answer, type Api } from '../api.ts';
import { CommandError, exitCodes } from '../exit.ts';

/** What is attached to an image, and whether a key that was trusted has signed it. */
export interface VerifiedAttestations {
  /** With its digest. */
  Image: string;
  Attestations: { Kind: string; Digest: string; Verified: boolean; KeyId?: string; Reason?: string }[];
}

/** @throws CommandError */
function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new CommandError(`--key: ${file} cannot be read`);
  }
}

/**
 * Verifies here what the api hands out of the registry: the signature of each document, and that it is about the image.
 * @param keyFiles PEM files of the public keys that are trusted; those that the api names when there are none
 * @throws CommandError when nothing is attached
 */
export async function verifyAttestations(
  api: Api,
  imageId: string,
  keyFiles: readonly string[],
): Promise<VerifiedAttestations> {
  const path = { ImageId: imageId };
  const listed = await answer(api.GET('/api/v1/images/{ImageId}/attestations', { params: { path } }));
  if (listed.Attestations.length === 0)
    throw new CommandError(
      `nothing is attached to ${listed.Image}`,
      exitCodes.refused,
      listed.Message ?? 'a policy of its workspace says whether something is',
    );
  const keys = new Map(
    keyFiles.length > 0
      ? keyFiles.map((it) => [it, readKey(it)])
      : (await answer(api.GET('/api/v1/signingkeys'))).SigningKeys.map((it) => [it.KeyId, it.PublicKey]),
  );
  const digest = listed.Image.slice(listed.Image.indexOf('@sha256:') + '@sha256:'.length);
  const found: VerifiedAttestations['Attestations'] = [];
  for (const { Kind, Digest } of listed.Attestations) {
    const document = await answer(
      api.GET('/api/v1/images/{ImageId}/attestations/{Digest}', { params: { path: { ...path, Digest } } }),
    );
    const opened = openWith(document.Bundle as unknown as Bundle, keys);
    const isOfImage = opened?.statement.subject.some((it) => it.digest.sha256 === digest) ?? false;
    const reason = opened ? 'it is about another image' : 'none of the keys has signed it';
    found.push({
      Kind,
      Digest,
      Verified: isOfImage,
      ...(opened ? { KeyId: opened.keyId } : {}),
      ...(isOfImage ? {} : { Reason: reason }),
    });
  }
  return { Image: listed.Image, Attestations: found };
}

function openWith(bundle: Bundle, keys: ReadonlyMap<string, string>): ReturnType<typeof openBundle> {
  try {
    return openBundle(bundle, keys);
  } catch {
    throw new CommandError(`--key: ${[...keys.keys()].join(', ')} must be public keys in PEM`);
  }
}
