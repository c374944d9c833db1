/**
 * How long Kiln's processes wait for each other and for servers, in milliseconds. One object, since these durations
 * depend on each other: `timings.test.ts` holds the inequalities.
 */
export interface Timings {
  /** How long a claim is its worker's without a renewal. */
  leaseMs: number;
  renewEveryMs: number;
  /** A renewal that takes longer has failed; the worker's connection is made anew. */
  renewalAnswerMs: number;
  /** A worker that PostgreSQL has not answered for so long takes nothing on. */
  connectedMs: number;
  /** Work whose lease is older is stopped by its worker. */
  giveUpMs: number;
  /** Processes of an attempt whose lease is older are killed from outside of the builder. */
  watchdogMs: number;
  /** PostgreSQL ends a transaction that has been silent for so long, so that its locks are free before the lease is. */
  silentTransactionMs: number;
  /** PostgreSQL ends the session of a worker that is cut off without a word. */
  silentSessionMs: number;
  /** How long a registry may take to begin an answer, and between two pieces of it. */
  registryAnswerMs: number;
  /** Pauses between a build's tries while its registry is away: doubled from the first to the longest. */
  registryPauseMs: number;
  registryPauseMaxMs: number;
  /** The same for a registration. */
  registrationPauseMs: number;
  registrationPauseMaxMs: number;
  /** The same between two attempts of a build that failed for Kiln's own reasons. */
  attemptPauseMs: number;
  attemptPauseMaxMs: number;
}

const full: Timings = {
  leaseMs: 15_000,
  renewEveryMs: 3000,
  renewalAnswerMs: 4000,
  connectedMs: 5000,
  giveUpMs: 10_000,
  watchdogMs: 11_000,
  silentTransactionMs: 12_000,
  silentSessionMs: 20_000,
  registryAnswerMs: 10_000,
  registryPauseMs: 2000,
  registryPauseMaxMs: 60_000,
  registrationPauseMs: 1000,
  registrationPauseMaxMs: 60_000,
  attemptPauseMs: 5000,
  attemptPauseMaxMs: 120_000,
};

/** All durations times `scale`, which keeps what holds between them. */
export const scaleTimings = (scale: number): Timings =>
  Object.fromEntries(
    Object.entries(full).map(([name, ms]) => [name, Math.round((ms as number) * scale)]),
  ) as unknown as Timings;

/**
 * Those of this process. No setting for operators: `KILN_TIME_SCALE` lets tests wait for less long.
 * @throws Error when that is no number above 0, up to 1
 */
export const timings: Readonly<Timings> = scaleTimings(readScale(process.env['KILN_TIME_SCALE'] ?? '1'));

function readScale(text: string): number {
  const scale = Number(text);
  if (!(scale > 0 && scale <= 1)) throw new Error(`KILN_TIME_SCALE is "${text}"; give a number above 0, up to 1`);
  return scale;
}
