/**
 * Reads a Retry-After header.
 * @param value seconds, or an HTTP date; the first one where it comes several times
 * @returns milliseconds from now; 0 when there is none that can be read
 */
export function retryAfterMs(value: string | string[] | undefined): number {
  const text = (Array.isArray(value) ? value[0] : value)?.trim() ?? '';
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
