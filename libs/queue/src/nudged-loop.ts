import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger } from '@kiln/kit';

export interface NudgedLoop {
  /** Asks for a pass now, because there is something to do. Returns at once. */
  nudge(): void;
  /** Stops after the pass that is under way. */
  close: () => Promise<void>;
}

// Between two passes: under load, one pass then carries what several would have.
const gapMs = 15;

/** Whoever writes what is to be done nudges, and so does the registrars' watch: this is for what both have missed. */
const everyMs = 30_000;
/** Between two tries of a pass that fails. */
const retryMs = 250;

/**
 * Works off what waits in PostgreSQL, when nudged and otherwise now and then, one pass at a time.
 * @param name what does this, for the log
 * @param pass does what is due and tells how much that was; when it throws, it is still there for the next pass
 */
export function openNudgedLoop(name: string, pass: () => Promise<number>, log: Logger): NudgedLoop {
  let nudged = false;
  let closed = false;
  let failing = false;
  let wake: () => void = () => undefined;
  const run = async () => {
    while (!closed) {
      nudged = false;
      let done = 0;
      try {
        done = await pass();
        if (failing) log.info(`${name} works again`);
        failing = false;
      } catch (error) {
        if (!failing) log.warn({ err: error }, `${name} could not do its work; it stays in PostgreSQL`);
        failing = true;
      }
      if (done > 0) await sleep(gapMs);
      if (done > 0 || (nudged && !failing)) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, failing ? retryMs : everyMs);
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
