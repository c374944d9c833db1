export * from './signatures/acs-hmac-sha1.ts';
export * from './signatures/acs3.ts';
export * from './credentials.ts';
export { hmacSha256Hex, sha256Hex } from './signatures/digest.ts';
export * from './signatures/sdk-hmac.ts';
export * from './sealing.ts';
export { type SignedRequest } from './signatures/signed-request.ts';
export { sameText } from './signatures/digest.ts';
