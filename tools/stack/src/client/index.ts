export * from './follow.ts';
export * from './push.ts';
export * from './signed-client.ts';
