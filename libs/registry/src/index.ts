export * from './address-rules.ts';
export * from './client.ts';
export { type RegistryAccess } from './connection.ts';
export * from './gateway.ts';
export * from './guarded-post.ts';
export { indexTypes, manifestTypes, sha256Digest } from './manifests.ts';
export * from './verify.ts';
