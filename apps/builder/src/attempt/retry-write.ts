import { setTimeout as sleep } from 'node:timers/promises';

/** Between two tries while PostgreSQL is away. */
const retryMs = 500;

/**
 * Writes something that may be written twice, again and again until PostgreSQL has taken it.
 * @param stopped whether the attempt may not go on: it is given up then
 * @returns whether it is written
 */
export async function untilWritten(write: () => Promise<unknown>, stopped: () => boolean): Promise<boolean> {
  for (;;) {
    try {
      await write();
      return true;
    } catch {
      if (stopped()) return false;
      await sleep(retryMs);
    }
  }
}
