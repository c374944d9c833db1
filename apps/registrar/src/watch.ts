import { type Logger } from '@kiln/kit';
import { type Database, lookForWork } from '@kiln/persistence';
import { type Sweeper } from './sweep.ts';

export interface Watch {
  close: () => Promise<void>;
}

interface Nudged {
  nudge(): void;
}

const lookEveryMs = 250;
const sweepEveryMs = 500;

/**
 * Looks four times a second, in one statement, whether there is anything to do that nobody has told of, and wakes whoever does it:
 * signals and nudges are quicker, but can be lost with the process that was to send them. While there is nothing, this is all
 * that an idle Kiln asks of PostgreSQL.
 */
export function openWatch(
  {
    db,
    relay,
    dispatcher,
    webhooks,
    log,
  }: { db: Database; relay: Nudged; dispatcher: Nudged; webhooks: Nudged; log: Logger },
  { sweep }: Sweeper,
): Watch {
  let sweptAt = -Infinity;
  let sweeping: Promise<void> | undefined;
  let looking: Promise<void> | undefined;
  let isFailing = false;

  const look = async (): Promise<void> => {
    const work = await lookForWork(db);
    if (work.outbox) relay.nudge();
    if (work.waiting) dispatcher.nudge();
    if (work.webhooks) webhooks.nudge();
    if (sweeping || performance.now() - sweptAt < sweepEveryMs) return;
    sweptAt = performance.now();
    // Not waited for: one that hangs must not keep the others from being woken.
    sweeping = sweep(work.underWay)
      .catch((error: unknown) => log.warn({ err: error }, 'sweep failed'))
      .finally(() => (sweeping = undefined));
  };
  const told = (failing: boolean, error?: unknown): void => {
    if (failing && !isFailing) log.warn({ err: error }, 'the watch cannot ask PostgreSQL what there is to do');
    isFailing = failing;
  };
  const timer = setInterval(() => {
    looking ??= look()
      .then(() => told(false))
      .catch((error: unknown) => told(true, error))
      .finally(() => (looking = undefined));
  }, lookEveryMs);
  return {
    async close() {
      clearInterval(timer);
      await looking;
      await sweeping;
    },
  };
}
