import type { Random } from '@kiln/kit/testing';

/** Of an exponential distribution with this mean. */
export const exponential = (random: Random, mean: number): number => -Math.log(1 - random.next()) * mean;

/** Of a log-normal one with this median; a third of all lie beyond `e ** sigma` times the median either way. */
export const logNormal = (random: Random, median: number, sigma: number): number =>
  median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next()));
