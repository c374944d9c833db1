export * from './backoff.ts';
export * from './config.ts';
export * from './crash-point.ts';
export * from './ids.ts';
export * from './lifecycle.ts';
export * from './logger.ts';
export * from './platform.ts';
export * from './secret.ts';
