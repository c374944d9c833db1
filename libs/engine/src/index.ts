export { openBuildah } from './buildah/buildah.ts';
export * from './engine.ts';
export * from './process-watch.ts';
export * from './jail/jail.ts';
export { openLauncher } from './jail/launcher.ts';
export { linesOf } from './lines.ts';
