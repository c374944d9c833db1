import { commonPool } from '@kiln/domain';
import { type Lifecycle, type Logger, type Secret } from '@kiln/kit';
import { type Database } from '@kiln/persistence';
import {
  type BoardQueues,
  closeRedis,
  type Consumer,
  consume,
  openBoardQueues,
  openProducer,
  openRedis,
  openSignals,
  type Producer,
  type SignalBus,
} from '@kiln/queue';
import { type QueueName, type QueuePayload } from '@kiln/contract';
import { openOutboxRelay, type Relay } from './relay.ts';

export interface Messaging {
  producer: Producer;
  relay: Relay;
  signals: SignalBus;
  /** The queues as a dashboard shows them. */
  openBoard: (pools: readonly string[]) => BoardQueues;
  /** Starts a consumer on a connection of its own. Its close waits for the jobs under way; the caller defers it. */
  consume: <N extends QueueName>(
    queue: N,
    concurrency: number,
    handle: (payload: QueuePayload<N>) => Promise<void>,
    pool?: string,
  ) => Consumer;
}

/** Everything of an app that talks to Redis, closed with the app. Each app has the same. */
export function openMessaging(
  settings: { KILN_REDIS_URL: Secret; KILN_REDIS_PREFIX: string },
  { db, life, log }: { db: Database; life: Lifecycle; log: Logger },
): Messaging {
  const prefix = settings.KILN_REDIS_PREFIX;
  const connect = (name: string, patience: 'command' | 'blocking') => {
    const redis = openRedis(settings.KILN_REDIS_URL, patience, log);
    life.defer(`redis ${name}`, () => closeRedis(redis));
    return redis;
  };
  const commands = connect('commands', 'command');
  const signals = openSignals(commands, connect('signals', 'blocking'), prefix);
  life.defer('signals', signals.close);
  const producer = openProducer(commands, prefix);
  life.defer('producer', producer.close);
  const relay = openOutboxRelay(db, producer, log);
  life.defer('relay', relay.close);
  return {
    producer,
    relay,
    signals,
    openBoard(pools) {
      const board = openBoardQueues(commands, prefix, pools);
      life.defer('board', board.close);
      return board;
    },
    consume: (queue, concurrency, handle, pool = commonPool) =>
      consume({ redis: connect(queue, 'blocking'), prefix, queue, pool, concurrency, log }, handle),
  };
}
