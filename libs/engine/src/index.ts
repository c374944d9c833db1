export { openBuildah } from './buildah/buildah.ts';
export * from './dockerfile.ts';
export * from './engine.ts';
export { linesOf } from './lines.ts';
export * from './package-installation.ts';
