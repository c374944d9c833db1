import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { Secret } from '@kiln/kit';

/** Seals secrets for PostgreSQL with AES-256-GCM. */
export interface Sealer {
  /** @param boundTo what the secret belongs to, e.g. `access-key:KILN…`; the same text is needed to open it */
  seal(secret: Secret, boundTo: string): string;
  /** @throws Error when the text was altered, sealed with another key, or bound to something else */
  open(sealed: string, boundTo: string): Secret;
  /** A keyed hash: tells whether two texts are the same without letting anyone guess at them. */
  fingerprint(text: string): string;
}

/**
 * @param keyBase64 32 bytes in base64
 * @throws Error when it is not
 */
export function openSealer(keyBase64: Secret): Sealer {
  const key = Buffer.from(keyBase64.reveal(), 'base64');
  if (key.length !== 32)
    throw new Error('KILN_SEALING_KEY must be 32 bytes in base64; `openssl rand -base64 32` makes one');
  // Names the key in each sealed text, so that a rotation can tell old from new.
  const keyId = createHash('sha256').update('kiln-key-id').update(key).digest('hex').slice(0, 8);
  const fingerprintKey = createHmac('sha256', key).update('kiln-fingerprint').digest();
  return {
    fingerprint: (text) => createHmac('sha256', fingerprintKey).update(text).digest('hex'),
    seal(secret, boundTo) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(boundTo));
      const body = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
      return [
        'v1',
        keyId,
        nonce.toString('base64url'),
        Buffer.concat([body, cipher.getAuthTag()]).toString('base64url'),
      ].join('.');
    },
    open(sealed, boundTo) {
      const [version, id, nonce, data] = sealed.split('.');
      if (version !== 'v1' || !nonce || !data) throw new Error('not a sealed secret');
      if (id !== keyId) throw new Error(`sealed with key ${id}, but KILN_SEALING_KEY is key ${keyId}`);
      const bytes = Buffer.from(data, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
      decipher.setAAD(Buffer.from(boundTo)).setAuthTag(bytes.subarray(-16));
      return new Secret(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8'));
    },
  };
}
