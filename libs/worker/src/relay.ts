import { type Logger, type PollLoop, openPollLoop } from '@kiln/kit';
import { type Database, relayOutbox } from '@kiln/persistence';
import type { Producer } from '@kiln/queue';

/** Passes what PostgreSQL's outbox announces on to the queues. */
export type Relay = PollLoop;

const rowsAtOnce = 500;

/** Every app runs one; they share the rows among them. */
export const openOutboxRelay = (db: Database, producer: Producer, log: Logger): Relay =>
  openPollLoop('relay', () => relayOutbox(db, rowsAtOnce, (rows) => producer.send(rows)), log, rowsAtOnce);
