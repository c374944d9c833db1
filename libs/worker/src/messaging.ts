import { commonPool } from '@kiln/domain';
import type { Lifecycle, Logger } from '@kiln/kit';
import type { Database } from '@kiln/persistence';
import {
  type BoardQueues,
  type Consumer,
  consume,
  openBoardQueues,
  openProducer,
  openSignals,
  type Producer,
  type SignalBus,
} from '@kiln/queue';
import type { QueueName, QueuePayload } from '@kiln/contract';
import { openBroker, type QueueSettings } from './open-broker.ts';
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
    /** Whose builds: those for any builder of a pool, or those that are meant for one of them. */
    of?: { pool: string; builder?: string },
  ) => Consumer;
}

/** Everything of an app that adds jobs, takes them or passes signals, closed with the app. Each app has the same. */
export function openMessaging(
  settings: QueueSettings,
  { db, life, log }: { db: Database; life: Lifecycle; log: Logger },
): Messaging {
  const broker = openBroker(settings, life, log);
  life.defer('broker', broker.close);
  const signals = openSignals(broker);
  life.defer('signals', signals.close);
  const producer = openProducer(broker);
  life.defer('producer', producer.close);
  const relay = openOutboxRelay(db, producer, log);
  life.defer('relay', relay.close);
  return {
    producer,
    relay,
    signals,
    openBoard(pools) {
      const board = openBoardQueues(broker, pools);
      life.defer('board', board.close);
      return board;
    },
    consume: (queue, concurrency, handle, { pool, builder } = { pool: commonPool }) =>
      consume({ broker, queue, pool, builder, concurrency, log }, handle),
  };
}
