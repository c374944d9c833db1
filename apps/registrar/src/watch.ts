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
const tidyUpEveryMs = 60_000;

/** Runs `work` when it is called, but not more often than `everyMs`, and never twice at a time. */
function atMost(everyMs: number, work: () => Promise<void>, onError: (error: unknown) => void) {
  let begunAt = -Infinity;
  let running: Promise<void> | undefined;
  return {
    call(): void {
      if (running || performance.now() - begunAt < everyMs) return;
      begunAt = performance.now();
      running = work()
        .catch(onError)
        .finally(() => (running = undefined));
    },
    ended: async () => running,
  };
}

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
  sweeper: Sweeper,
): Watch {
  const failed = (error: unknown) => log.warn({ err: error }, 'sweep failed');
  const sweep = atMost(sweepEveryMs, sweeper.sweep, failed);
  const tidyUp = atMost(tidyUpEveryMs, sweeper.tidyUp, failed);
  const look = async () => {
    const work = await lookForWork(db);
    if (work.outbox) relay.nudge();
    if (work.waiting) dispatcher.nudge();
    if (work.webhooks) webhooks.nudge();
    if (work.underWay) sweep.call();
    tidyUp.call();
  };
  const looks = atMost(0, look, (error) => log.warn({ err: error }, 'the watch cannot look for work'));
  const timer = setInterval(() => looks.call(), lookEveryMs);
  return {
    async close() {
      clearInterval(timer);
      await Promise.all([looks.ended(), sweep.ended(), tidyUp.ended()]);
    },
  };
}
