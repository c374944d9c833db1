export * from './archive.ts';
export { decompressed } from './decompress.ts';
export * from './blob-archive.ts';
export * from './store.ts';
