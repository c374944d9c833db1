import { type Lane, lanes } from '../builds/build-states.ts';
import { type Builder, FreeSlots, type Place, type PlacementReason, type Took } from './placement.ts';

/** A build that waits, as the dispatcher sees it. */
export interface Waiting {
  id: string;
  lane: Lane;
  /** How long it has waited, in seconds. */
  waitedSeconds: number;
  /** For how long it has been its turn and it was held back for a warm builder, in seconds. */
  heldSeconds?: number;
  /** Names of the builders that have built what it begins with. */
  warmOn: ReadonlySet<string>;
  /** Names of builders on which it has been tried, or that did not come for it. */
  avoid?: ReadonlySet<string>;
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
  took: Took;
  /** Names of the builders that have a cache of the account. */
  knownOn: ReadonlySet<string>;
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
  why: PlacementReason;
}

const goesBefore = <W extends Waiting>(a: Candidate<W>, b: Candidate<W>): boolean =>
  (a.start - b.start || byLaneAndAge(a.head, b.head)) < 0;

const none: ReadonlySet<string> = new Set();

/** A build that goes next, and where to. */
export interface Chosen<W extends Waiting> extends Place {
  build: W;
}

/**
 * Chooses which builds go next, by start-time fair queueing: each account is charged 1/weight of virtual time for a
 * build, and the one whose next build starts earliest goes first; among equals the lane decides, then the age. An
 * account's first build therefore waits for at most a build of each other account, however many those have waiting.
 * An account whose build is held back for its cache costs nothing meanwhile, and keeps its turn.
 * @param builders by their names
 * @param free most builds to choose, no more than they have free slots
 * @returns the chosen, in order, what the choice costs, and the builds whose turn it was and that are held back
 */
export function chooseNext<W extends Waiting>(
  contenders: Contender<W>[],
  builders: ReadonlyMap<string, Builder>,
  free: number,
  virtualTime: number,
): { chosen: Chosen<W>[]; held: W[]; finishTags: Map<string, number>; virtualTime: number } {
  const chosen: Chosen<W>[] = [];
  const held: W[] = [];
  const finishTags = new Map<string, number>();
  let time = virtualTime;
  const slots = new FreeSlots(builders);
  const rest = contenders.map((it) => ({ ...it, waiting: [...it.waiting], held: 0 }));
  while (chosen.length < free) {
    let best: Candidate<W> | undefined;
    const waitForCache: { start: number; of: Contender<W> & { held: number } }[] = [];
    for (const of of rest) {
      const head = of.waiting[0];
      if (!head || of.running >= of.runningMax) continue;
      const start = startTag(of, time);
      if (best && best.start < start) continue;
      const { warmOn, avoid = none, heldSeconds = 0 } = head;
      const why = slots.reasonFor({ ...of, warmOn, avoid, heldSeconds, heldBefore: of.held });
      if (why === undefined) {
        waitForCache.push({ start, of });
        continue;
      }
      const candidate = { start, head, of, why };
      if (!best || goesBefore(candidate, best)) best = candidate;
    }
    // Whose turn has come is held back, and the account's next one is looked at: they wait together, not one after the
    // other. Whose turn has not come is not held back yet.
    const due = waitForCache.filter(({ start }) => !best || start <= best.start);
    for (const { of } of due) {
      const head = of.waiting.shift();
      if (head) held.push(head);
      of.held += 1;
    }
    if (due.length > 0) continue;
    const next = best?.of.waiting.shift();
    if (!best || !next) break;
    time = best.start;
    best.of.finishTag = time + 1 / best.of.weight;
    best.of.running += 1;
    finishTags.set(best.of.accountId, best.of.finishTag);
    chosen.push({
      build: next,
      ...slots.take({ ...best.of, warmOn: next.warmOn, avoid: next.avoid ?? none }, best.why),
    });
  }
  return { chosen, held, finishTags, virtualTime: time };
}
