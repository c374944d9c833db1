import type { Logger } from './observability/logger.ts';

type Close = () => unknown;

const stopSignals = ['SIGTERM', 'SIGINT'] as const;
// The first process of a container ignores a signal that it has no handler for.
const leave = () => process.exit(1);

/** Closes what was opened, last opened first. `defer` stands on the line after each opening. */
export class Lifecycle {
  readonly #log: Logger;
  readonly #closers: { name: string; close: Close }[] = [];
  #closing: Promise<void> | undefined;

  constructor(log: Logger) {
    this.#log = log;
    for (const it of stopSignals) process.on(it, leave);
  }

  defer(name: string, close: Close): void {
    this.#closers.push({ name, close });
  }

  /** Runs every deferred close, in reverse order; one that fails is logged and does not stop the others. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const { name, close } of this.#closers.reverse()) {
        try {
          await close();
        } catch (error) {
          this.#log.error({ err: error, part: name }, 'could not close');
        }
      }
    })();
    return this.#closing;
  }

  /** From now on, closes on the first SIGTERM or SIGINT, and leaves at once on the second; before, it leaves at once. */
  closeOnSignal(): void {
    let asked = false;
    const stop = (signal: NodeJS.Signals) => {
      if (asked) process.exit(1);
      asked = true;
      this.#log.info({ signal }, 'stopping');
      void this.close().then(() => process.exit(0));
    };
    for (const it of stopSignals) process.off(it, leave).on(it, stop);
  }
}
