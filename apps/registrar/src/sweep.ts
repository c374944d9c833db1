import { backoffMs, type Logger } from '@kiln/kit';
import {
  asOnlySweeper,
  type Clocks,
  type Database,
  sweepClocks,
  sweepExpiredLeases,
  sweepExpired,
  sweepTallies,
  sweepUnheard,
} from '@kiln/persistence';
import { type Relay } from '@kiln/queue';

export interface Sweeper {
  close: () => Promise<void>;
}

const everyMs = 1000;
/** A job that nobody took within this time is announced again. */
const unheardSeconds = 10;

/** Looks once a second for what no worker will do: expired leases, clocks that ran out, announcements that were lost. */
export function openSweeper(deps: { db: Database; relay: Relay; log: Logger }, clocks: Clocks): Sweeper {
  const { db, relay, log } = deps;
  let round = 0;
  const work = async () => {
    const moved =
      (await sweepExpiredLeases(db, (attempt) => backoffMs(attempt, 5000, 120_000))) +
      (await sweepClocks(db, clocks)) +
      (await sweepUnheard(db, unheardSeconds));
    if (moved > 0) relay.nudge();
    round += 1;
    if (round % 5 === 0) await sweepTallies(db);
    if (round % 60 === 0) await sweepExpired(db);
  };
  let busy: Promise<unknown> = Promise.resolve();
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    busy = asOnlySweeper(db, work)
      .catch((error: unknown) => log.warn({ err: error }, 'sweep failed'))
      .finally(() => (running = false));
  }, everyMs);
  return {
    async close() {
      clearInterval(timer);
      await busy;
    },
  };
}
