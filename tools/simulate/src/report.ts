import { type Lane, lanes } from '@kiln/domain';
import type { Fleet, Outcome } from './simulate.ts';

/** Waiting times in milliseconds. */
export interface Waits {
  builds: number;
  p50: number;
  p95: number;
  p99: number;
  most: number;
}

export interface Report {
  lanes: Record<Lane, Waits>;
  /** Of accounts that build less than once in a quarter of an hour. */
  small: Waits;
  /** Share of the slots' time that builds took. */
  used: number;
  /** Mean of Jain's index over the minutes in which accounts competed, and how many of them there were. */
  fairness: number;
  contendedMinutes: number;
  passesPerSecond: number;
  /** Share of the builds that found their account's cache. */
  warm: number;
}

const waitsOf = (waits: number[]): Waits => {
  const sorted = waits.sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  return { builds: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), most: sorted.at(-1) ?? 0 };
};

export function report(outcome: Outcome, fleet: Fleet): Report {
  const { builds, fairness, busyMs, passes, endedAt } = outcome;
  const perAccount = new Map<number, number>();
  for (const { account } of builds) perAccount.set(account, (perAccount.get(account) ?? 0) + 1);
  const isSmall = (account: number) => (perAccount.get(account) ?? 0) < endedAt / 900_000;
  const wait = (it: (typeof builds)[number]) => it.startedAt - it.at;
  return {
    lanes: Object.fromEntries(
      lanes.map((lane) => [lane, waitsOf(builds.filter((it) => it.lane === lane).map(wait))]),
    ) as Record<Lane, Waits>,
    small: waitsOf(builds.filter((it) => isSmall(it.account)).map(wait)),
    used: busyMs / (endedAt * fleet.builders * fleet.slots),
    fairness: fairness.reduce((a, b) => a + b, 0) / fairness.length,
    contendedMinutes: fairness.length,
    warm: outcome.warm / (outcome.placed.warm + outcome.placed.cold + outcome.placed.spilled),
    passesPerSecond: (passes / endedAt) * 1000,
  };
}

const seconds = (ms: number): string => (ms < 100_000 ? (ms / 1000).toFixed(2) : (ms / 1000).toFixed(0));

/** A line for each lane: how many, and how long they waited in seconds. */
export function printReport(what: string, it: Report, outcome: Outcome): void {
  console.log(`\n${what}${' '.repeat(Math.max(1, 30 - what.length))}   builds     p50     p95     p99    most`);
  const rows: [string, Waits][] = [...lanes.map((lane) => [lane, it.lanes[lane]] as [string, Waits])];
  rows.push(['accounts that build little', it.small]);
  for (const [name, { builds, ...waits }] of rows) {
    const cells = Object.values(waits).map((value) => seconds(value).padStart(7));
    console.log(`  ${name.padEnd(28)} ${String(builds).padStart(8)} ${cells.join(' ')} s`);
  }
  console.log(
    [
      `  found their cache ${(it.warm * 100).toFixed(0)} %`,
      `slots in use ${(it.used * 100).toFixed(0)} %`,
      `most waiting at once ${outcome.deepest}`,
      `passes of the dispatcher ${it.passesPerSecond.toFixed(1)}/s`,
      it.contendedMinutes === 0
        ? 'no minute in which accounts competed'
        : `fairness ${it.fairness.toFixed(3)} in ${it.contendedMinutes} minutes in which accounts competed`,
      `${outcome.killed} builders killed, ${outcome.drained} drained, ${outcome.repeated} builds begun again`,
    ].join('; '),
  );
}
