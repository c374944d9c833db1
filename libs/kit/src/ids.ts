import { randomInt, randomUUID } from 'node:crypto';

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Random lower-case letters and digits; 18 of them carry 93 bits. */
export const randomSuffix = (length = 18): string =>
  Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');

/** A build's id and its id as a DLC job; they share their suffix, so that people can tell that they belong together. */
export function newBuildIds(): { buildId: string; jobId: string } {
  const suffix = randomSuffix();
  return { buildId: `build-${suffix}`, jobId: `dlc-${suffix}` };
}

/** An image's id in PAI's form. */
export const newPaiImageId = (): string => `image-${randomSuffix()}`;

/** An upper-case UUID, as both clouds write request ids. */
export const newRequestId = (): string => randomUUID().toUpperCase();
