export * from './buildx.ts';
export * from './docker-daemon.ts';
export * from './host.ts';
export * from './odd-requests.ts';
export * from './receiver.ts';
export * from './registry-front.ts';
export * from './test-kiln.ts';
export * from './test-stack.ts';
