export { openBuildah } from './buildah/buildah.ts';
export * from './dockerfile.ts';
export { type Step, stepDetails } from './dockerfile-step.ts';
export * from './engine.ts';
export * from './jail/jail.ts';
export { openLauncher } from './jail/launcher.ts';
export { linesOf } from './lines.ts';
export * from './package-installation.ts';
