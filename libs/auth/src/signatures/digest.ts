import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export const sha256Hex = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

export const hmacSha256Hex = (key: string, data: string): string =>
  createHmac('sha256', key).update(data).digest('hex');

/** Compares without telling by its time where two texts differ. */
export function sameText(a: string, b: string): boolean {
  // Digests of equal length, since timingSafeEqual throws on unequal ones.
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
