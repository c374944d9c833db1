import { type Logger } from '@kiln/kit';
import { type Database, relayOutbox } from '@kiln/persistence';
import { openRelay, type Producer, type Relay } from '@kiln/queue';

/** How often the outbox is looked at when nobody nudges. */
const intervalMs = 250;

/** Passes what PostgreSQL's outbox announces on to the queues. Every app runs one; they share the rows among them. */
export const openOutboxRelay = (db: Database, producer: Producer, log: Logger): Relay =>
  openRelay(() => relayOutbox(db, 500, (rows) => producer.send(rows)), intervalMs, log);
