/**
 * Exponential back-off with full jitter: a random time between half and all of `baseMs * 2^(attempt-1)`, at most
 * `capMs`.
 */
export function backoffMs(attempt: number, baseMs: number, capMs: number): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(full / 2 + (Math.random() * full) / 2);
}
