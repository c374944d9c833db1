import { z } from 'zod';
import { commonPool } from '@kiln/domain';
import { poolName } from './platform/platform.ts';

/**
 * The queues, as data: types of producer and handler fall out of it. A payload carries ids and a version only;
 * the row in PostgreSQL is the truth.
 */
export const queues = {
  'image-build': z.object({
    v: z.literal(1),
    buildId: z.string(),
    attempt: z.int().min(0),
    /** Builders of this pool get it; those of the common one when left out. */
    pool: poolName.exactOptional(),
    /** The builder that it is meant for gets it; any of the pool when left out. */
    builder: z.string().exactOptional(),
  }),
  'image-register': z.object({
    v: z.literal(1),
    kind: z.enum(['build', 'image']),
    id: z.string(),
    attempt: z.int().min(0),
  }),
} as const;

export type QueueName = keyof typeof queues;
export type QueuePayload<N extends QueueName> = z.infer<(typeof queues)[N]>;
/** What a queue is called at the broker: each pool of builders has one of its own, and each builder one beside it. */
export const queueOf = (queue: QueueName, pool = commonPool, builder?: string): string =>
  `${queue}${pool === commonPool ? '' : `.${pool}`}${builder === undefined ? '' : `@${builder}`}`;
export const queueNames = Object.keys(queues) as QueueName[];

/** Wake-up calls between processes. Lost ones only cost time: every listener also looks at PostgreSQL. */
export const signals = {
  /** A build may not go on. */
  cancel: 'build-cancel',
  registered: 'image-registered',
  /** A build has logged something, or has moved on. */
  progress: 'build-progress',
  /** A build waits, or a slot is free. */
  dispatch: 'dispatch',
  /** Pending builds were admitted. */
  admitted: 'build-admitted',
} as const;
/** Instead of an id: for signals that are about nothing in particular, and for those who listen to all. */
export const everyone = 'all';
export type SignalName = keyof typeof signals;
