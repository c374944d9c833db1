export * from './change-signals.ts';
export * from './leases.ts';
export * from './messaging.ts';
export * from './relay.ts';
