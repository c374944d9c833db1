import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from './observability/logger.ts';

export interface PollLoop {
  /** Asks for a pass now, because there is something to do. Returns at once. */
  wake(): void;
  /** Stops after the pass that is under way. */
  close: () => Promise<void>;
}

// Between two passes: under load, one pass then carries what several would have.
const gapMs = 15;

/** Writers and the registrars' watch wake the loop; this finds what both have missed. */
const everyMs = 30_000;
/** Between two tries of a pass that fails. */
const retryMs = 250;

/**
 * Processes what is due in PostgreSQL, when woken and otherwise every 30 s, one pass at a time.
 * @param name for the log
 * @param pass processes what is due and returns how much that was; when it throws, the work stays for the next pass
 * @param atOnce how much a pass processes at most: after one that processed less, nothing is known to be left
 */
export function openPollLoop(name: string, pass: () => Promise<number>, log: Logger, atOnce = 1): PollLoop {
  let woken = false;
  let closed = false;
  let failing = false;
  let endWait: () => void = () => undefined;
  const run = async () => {
    while (!closed) {
      woken = false;
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
      if (done >= atOnce || (woken && !failing)) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, failing ? retryMs : everyMs);
        endWait = () => {
          clearTimeout(timer);
          resolve();
        };
        if (closed) endWait();
      });
    }
  };
  const running = run();
  return {
    wake() {
      woken = true;
      if (!failing) endWait();
    },
    async close() {
      closed = true;
      endWait();
      await running;
    },
  };
}
