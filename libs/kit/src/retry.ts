import { setTimeout as sleep } from 'node:timers/promises';

export interface RetryOptions {
  /** Milliseconds to wait after a try has failed; `tried` counts from 1. */
  pauseMs: (tried: number, error: unknown) => number;
  /** Tries in all; no limit when left out. */
  tries?: number;
  /** Whether another try may succeed; always, when left out. */
  isPassing?: (error: unknown) => boolean;
  /** Ends the tries and the pauses between them. */
  signal?: AbortSignal | undefined;
  /** Called before each pause. */
  onPause?: (tried: number, pauseMs: number, error: unknown) => unknown;
}

/**
 * Runs `work` until it succeeds.
 * @throws what the last try threw; an AbortError when the signal is aborted during a pause
 */
export async function retry<T>(
  work: () => Promise<T>,
  { pauseMs, tries = Infinity, isPassing = () => true, signal, onPause }: RetryOptions,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted || tried >= tries || !isPassing(error)) throw error;
      const ms = pauseMs(tried, error);
      await onPause?.(tried, ms, error);
      await sleep(ms, undefined, signal ? { signal } : {});
    }
  }
}
