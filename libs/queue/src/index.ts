export * from './board.ts';
export * from './broker.ts';
export * from './consumer.ts';
export { type QueueBuilder } from './open-queues.ts';
export * from './postgres-broker.ts';
export * from './producer.ts';
export * from './redis-broker.ts';
export { type RedisAddress } from './redis.ts';
export * from './signals.ts';
