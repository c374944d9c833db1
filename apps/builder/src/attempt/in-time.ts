import { Fault } from '@kiln/domain';

/** How long a file or an archive may take: one that comes a byte at a time comes for ever. */
const fetchMs = 900_000;

/**
 * Fetches something, and not for ever.
 * @throws Fault SourceUnreachable when it takes too long; the signal's reason
 */
export async function inTime<T>(
  signal: AbortSignal,
  what: string,
  fetch: (late: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(fetchMs)]);
  try {
    return await fetch(late);
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
    throw new Fault('SourceUnreachable', `${what} was not there after ${fetchMs / 60_000} minutes`, {}, late.reason);
  }
}
