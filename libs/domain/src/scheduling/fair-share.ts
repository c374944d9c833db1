import { type Lane, lanes } from '../builds/build-states.ts';

/** A build that waits, as the dispatcher sees it. */
export interface Waiting {
  id: string;
  lane: Lane;
  /** How long it has waited, in seconds. */
  waitedSeconds: number;
}

/** An account's claim on the builders. */
export interface Share {
  weight: number;
  /** Most builds at once; Infinity for no limit. */
  runningMax: number;
  /** Virtual time at which the account's last admitted build ends. */
  finishTag: number;
}

export interface Contender<W extends Waiting = Waiting> extends Share {
  accountId: string;
  running: number;
  /** In the order in which the account's builds are to start. */
  waiting: W[];
}

/** A build that has waited this long counts as one of the lane above. */
export const ageingSeconds = 600;

/** A build's lane as a number, 0 for the first to go; it falls as the build waits. */
export const laneRank = (lane: Lane, waitedSeconds: number): number =>
  Math.max(0, lanes.indexOf(lane) - Math.floor(waitedSeconds / ageingSeconds));

/** The order in which an account's own builds start: by lane, then by age. */
export const byLaneAndAge = (a: Waiting, b: Waiting): number =>
  laneRank(a.lane, a.waitedSeconds) - laneRank(b.lane, b.waitedSeconds) || b.waitedSeconds - a.waitedSeconds;

/** Virtual time at which an account's next build would start: one that was idle starts where the others are. */
export const startTag = (share: Pick<Share, 'finishTag'>, virtualTime: number): number =>
  Math.max(virtualTime, share.finishTag);

interface Candidate<W extends Waiting> {
  start: number;
  head: W;
  of: Contender<W>;
}

const goesBefore = <W extends Waiting>(a: Candidate<W>, b: Candidate<W>): boolean =>
  (a.start - b.start || byLaneAndAge(a.head, b.head)) < 0;

/**
 * Chooses which builds go next, by start-time fair queueing: each account is charged 1/weight of virtual time for a
 * build, and the one whose next build starts earliest goes first; among equals the lane decides, then the age. An
 * account's first build therefore waits for at most a build of each other account, however many those have waiting.
 * @returns the chosen, in order, and what the choice costs
 */
export function chooseNext<W extends Waiting>(
  contenders: Contender<W>[],
  free: number,
  virtualTime: number,
): { chosen: W[]; finishTags: Map<string, number>; virtualTime: number } {
  const chosen: W[] = [];
  const finishTags = new Map<string, number>();
  let time = virtualTime;
  const rest = contenders.map((it) => ({ ...it, waiting: [...it.waiting] }));
  while (chosen.length < free) {
    let best: Candidate<W> | undefined;
    for (const of of rest) {
      const head = of.waiting[0];
      if (!head || of.running >= of.runningMax) continue;
      const candidate = { start: startTag(of, time), head, of };
      if (!best || goesBefore(candidate, best)) best = candidate;
    }
    const next = best?.of.waiting.shift();
    if (!best || !next) break;
    time = best.start;
    best.of.finishTag = time + 1 / best.of.weight;
    best.of.running += 1;
    finishTags.set(best.of.accountId, best.of.finishTag);
    chosen.push(next);
  }
  return { chosen, finishTags, virtualTime: time };
}
