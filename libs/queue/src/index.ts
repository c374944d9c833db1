export * from './board.ts';
export * from './consumer.ts';
export * from './producer.ts';
export * from './redis.ts';
export * from './signals.ts';
