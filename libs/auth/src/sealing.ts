import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { Secret } from '@kiln/kit';

/** Seals secrets for PostgreSQL with AES-256-GCM. */
export interface Sealer {
  /** @param boundTo what the secret belongs to, e.g. `access-key:KILN…`; the same text is needed to open it */
  seal(secret: Secret, boundTo: string): string;
  /** @throws Error when the text was altered, sealed with another key, or bound to something else */
  open(sealed: string, boundTo: string): Secret;
  /** Names the key that seals, as it stands in what it sealed. */
  readonly keyId: string;
  /** A keyed hash: tells whether two texts are the same without letting anyone guess at them. */
  fingerprint(text: string): string;
  /** Whether a fingerprint is a text's, made with this key or an older one. */
  isFingerprint(fingerprint: string, text: string): boolean;
}

interface Key {
  id: string;
  bytes: Buffer;
}

function readKey(keyBase64: string, setting: string): Key {
  const bytes = Buffer.from(keyBase64, 'base64');
  if (bytes.length !== 32)
    throw new Error(`${setting} must be 32 bytes in base64; \`openssl rand -base64 32\` makes one`);
  // Names the key in each sealed text, so that a rotation can tell old from new.
  return { id: createHash('sha256').update('kiln-key-id').update(bytes).digest('hex').slice(0, 8), bytes };
}

const fingerprintWith = ({ bytes }: Key, text: string): string =>
  createHmac('sha256', createHmac('sha256', bytes).update('kiln-fingerprint').digest()).update(text).digest('hex');

/**
 * @param keyBase64 32 bytes in base64: what seals from now on
 * @param oldKeys keys that sealed before, between commas: what they sealed can still be opened
 * @throws Error when one is not a key
 */
export function openSealer(keyBase64: Secret, oldKeys?: Secret): Sealer {
  const key = readKey(keyBase64.reveal(), 'KILN_SEALING_KEY');
  const old = (oldKeys?.reveal() ?? '').split(',').filter(Boolean);
  const keys = [key, ...old.map((it) => readKey(it, 'each of KILN_SEALING_KEYS_OLD'))];
  return {
    keyId: key.id,
    fingerprint: (text) => fingerprintWith(key, text),
    isFingerprint: (fingerprint, text) => keys.some((it) => fingerprintWith(it, text) === fingerprint),
    seal(secret, boundTo) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(boundTo));
      const body = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
      const sealed = Buffer.concat([body, cipher.getAuthTag()]);
      return ['v1', key.id, nonce.toString('base64url'), sealed.toString('base64url')].join('.');
    },
    open(sealed, boundTo) {
      const [version, id, nonce, data] = sealed.split('.');
      if (version !== 'v1' || !nonce || !data) throw new Error('not a sealed secret');
      const fitting = keys.find((it) => it.id === id);
      if (!fitting)
        throw new Error(
          `sealed with key ${id}, which is neither KILN_SEALING_KEY (${key.id}) nor among KILN_SEALING_KEYS_OLD`,
        );
      const bytes = Buffer.from(data, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', fitting.bytes, Buffer.from(nonce, 'base64url'));
      decipher.setAAD(Buffer.from(boundTo)).setAuthTag(bytes.subarray(-16));
      return new Secret(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8'));
    },
  };
}
