import { sign } from 'node:crypto';
import type { SigningKey } from './signing-key.ts';
import type { Subject } from './statement.ts';

export const simpleSigningType = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const signatureAnnotation = 'dev.cosignproject.cosign/signature';

/** What cosign signed before version 3, and the signature of it, in base64. */
export function simpleSignature({ name, digest }: Subject, { privateKey }: SigningKey) {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': name },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
  return { payload, signature: sign('sha256', payload, privateKey).toString('base64') };
}
