import { retry } from '@kiln/kit';

/** Between two tries while PostgreSQL is away. */
const pauseMs = 500;

/**
 * Repeats an idempotent write until PostgreSQL has taken it.
 * @param stopped whether the attempt has lost its build: the write is given up then
 * @returns whether it is written
 */
export const retryWrite = (write: () => Promise<unknown>, stopped: () => boolean): Promise<boolean> =>
  retry(write, { pauseMs: () => pauseMs, isPassing: () => !stopped() }).then(
    () => true,
    () => false,
  );
