import { createPublicKey, sign, verify } from 'node:crypto';
import type { SigningKey } from './signing-key.ts';
import type { Statement } from './statement.ts';

export const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const payloadType = 'application/vnd.in-toto+json';

/** Sigstore's bundle of a signed statement, version 0.3, without a log's entry: the key is known. */
export interface Bundle {
  mediaType: typeof bundleType;
  verificationMaterial: { publicKey: { hint: string }; tlogEntries: []; timestampVerificationData?: undefined };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid: string }[] };
}

/** What DSSE signs: type and payload with their lengths. */
const preAuthEncoding = (type: string, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);

export function signStatement(statement: Statement, { id, privateKey }: SigningKey): Bundle {
  const payload = Buffer.from(JSON.stringify(statement));
  const signature = sign('sha256', preAuthEncoding(payloadType, payload), privateKey);
  return {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: id }, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType,
      // With an id, verifiers look for theirs, of which there are several kinds.
      signatures: [{ sig: signature.toString('base64'), keyid: '' }],
    },
  };
}

/**
 * What a bundle says, once one of the keys has signed it.
 * @param publicKeys PEM, by their ids
 * @returns undefined when none has
 */
export function openBundle(
  { dsseEnvelope: { payload, payloadType: type, signatures } }: Pick<Bundle, 'dsseEnvelope'>,
  publicKeys: ReadonlyMap<string, string>,
): { statement: Statement; keyId: string } | undefined {
  const bytes = Buffer.from(payload, 'base64');
  const signed = preAuthEncoding(type, bytes);
  for (const [keyId, pem] of publicKeys) {
    const isSigned = signatures.some((it) =>
      verify('sha256', signed, createPublicKey(pem), Buffer.from(it.sig, 'base64')),
    );
    if (isSigned && type === payloadType) return { statement: JSON.parse(bytes.toString('utf8')) as Statement, keyId };
  }
  return undefined;
}
