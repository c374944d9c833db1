export { openBuildkit } from './buildkit/buildkit.ts';
export { describeRoom } from './buildkit/describe-room.ts';
export * from './engine.ts';
export { type Commit, type Repository, type Submodule } from './git/repository.ts';
export * from './process-watch.ts';
export * from './jail/abilities.ts';
export { type RegistryHandler } from './jail/door.ts';
export { type EngineRoot, readEngineRoot } from './jail/engine-root.ts';
