export * from './authenticate.ts';
export * from './cancel-build.ts';
export * from './directory.ts';
export * from './messaging.ts';
export * from './register-image.ts';
export * from './registry-access.ts';
export * from './submit-build.ts';
