import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A key that signs: ECDSA on P-256, as cosign's are. */
export interface SigningKey {
  /** SHA-256 of the public key (SPKI, DER), in hex: the same wherever the key is. */
  id: string;
  /** PEM */
  publicKey: string;
  privateKey: KeyObject;
}

export const keyIdOf = (publicKey: KeyObject): string =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/**
 * @param pem PKCS #8 or SEC 1
 * @throws Error when it is no private key of P-256
 */
export function readSigningKey(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== 'ec' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error('it is not a private key of P-256');
  const publicKey = createPublicKey(privateKey);
  return { id: keyIdOf(publicKey), publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string, privateKey };
}

/** A new private key, in PEM (PKCS #8). */
export const newPrivateKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
