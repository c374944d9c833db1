export * from './archive.ts';
export { decompressed } from './decompress.ts';
export * from './blob-archive.ts';
export { openFolderStore } from './folder-store.ts';
export { openContextStore } from './open-store.ts';
export { unzstd } from './unzstd.ts';
export { contextId, type ContextStore } from './store.ts';
