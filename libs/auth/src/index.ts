export * from './acs-hmac-sha1.ts';
export * from './acs3.ts';
export * from './credentials.ts';
export { hmacSha256Hex, sha256Hex } from './digest.ts';
export * from './sdk-hmac.ts';
export * from './sealing.ts';
export { type SignedRequest } from './signed-request.ts';
export { sameText } from './digest.ts';
