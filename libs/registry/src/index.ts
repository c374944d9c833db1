export * from './client.ts';
export { type RegistryAccess } from './connection.ts';
export { manifestTypes, sha256Digest } from './manifests.ts';
export * from './verify.ts';
