import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger } from '@kiln/kit';

export interface Relay {
  /** Asks for a pass now, because something was just announced. Returns at once. */
  nudge(): void;
  /** Stops after the pass that is under way. */
  close: () => Promise<void>;
}

// Between two passes: under load, one pass then carries what several would have.
const gapMs = 15;

/**
 * Passes announcements on, when nudged and at every interval, one pass at a time.
 * @param pass sends what is due and tells how many were sent; when it throws, the rows are still there for the next pass
 */
export function openRelay(pass: () => Promise<number>, intervalMs: number, log: Logger): Relay {
  let nudged = false;
  let closed = false;
  let failing = false;
  let wake: () => void = () => undefined;
  const run = async () => {
    while (!closed) {
      nudged = false;
      let sent = 0;
      try {
        sent = await pass();
        if (failing) log.info('relay works again');
        failing = false;
      } catch (error) {
        if (!failing) log.warn({ err: error }, 'relay could not pass announcements on; they stay in the outbox');
        failing = true;
      }
      if (sent > 0) await sleep(gapMs);
      if (sent > 0 || (nudged && !failing)) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, intervalMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (closed) wake();
      });
    }
  };
  const running = run();
  return {
    nudge() {
      nudged = true;
      if (!failing) wake();
    },
    async close() {
      closed = true;
      wake();
      await running;
    },
  };
}
