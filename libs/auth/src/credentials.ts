import { randomBytes, randomUUID } from 'node:crypto';
import { Secret, randomSuffix } from '@kiln/kit';
import { sha256Hex } from './signatures/digest.ts';

/** A new access key; the secret is shown once and stored sealed, since HMAC needs it in clear to verify. */
export const newAccessKey = (): { id: string; secret: Secret } => ({
  id: `KILN${randomSuffix(16).toUpperCase()}`,
  secret: new Secret(randomBytes(24).toString('base64url')),
});

/** A new opaque token; only its hash is stored. 256 random bits need no slow hash. */
export function newToken(): { id: string; token: Secret; hash: string } {
  const token = `kiln_${randomBytes(32).toString('base64url')}`;
  return { id: randomUUID(), token: new Secret(token), hash: hashToken(token) };
}

export const hashToken = (token: string): string => sha256Hex(token);

/** A key that is good for a while, and only together with its security token. */
export function newTemporaryKey(): { id: string; secret: Secret; securityToken: Secret; securityTokenHash: string } {
  const securityToken = randomBytes(48).toString('base64url');
  const { secret } = newAccessKey();
  return {
    // Both clouds' temporary keys can be told by their beginning.
    id: `STS.${randomSuffix(24)}`,
    secret,
    securityToken: new Secret(securityToken),
    securityTokenHash: hashToken(securityToken),
  };
}
