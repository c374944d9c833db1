export { openBuildkit } from './buildkit/buildkit.ts';
export * from './engine.ts';
export * from './process-watch.ts';
export * from './jail/abilities.ts';
export { type RegistryHandler } from './jail/door.ts';
export { readEngineRoot } from './jail/engine-root.ts';
