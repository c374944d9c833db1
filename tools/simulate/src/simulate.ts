import {
  type Builder,
  byLaneAndAge,
  chooseNext,
  type Contender,
  type Lane,
  lanes,
  type PlacementReason,
  type Took,
  type Waiting,
} from '@kiln/domain';
import TinyQueue from 'tinyqueue';
import type { Random } from '@kiln/kit/testing';
import type { Arrival } from './arrivals.ts';
import { exponential } from './distributions.ts';

export interface Fleet {
  builders: number;
  slots: number;
  /** What a pass of the dispatcher takes, from what woke it to its commit. */
  passMs: number;
  /** From the admission of a build until its builder has begun. */
  startMs: number;
  /** Days that a builder lives until it is killed; it is back a minute later. */
  killedAfterDays: number;
  /** Each is drained and started anew once in so many hours. */
  drainedEveryHours: number;
  /** Accounts whose cache a builder keeps, those that built last. */
  cachesMax: number;
  /** How long a build takes with its account's cache, as a part of how long it takes without. */
  warmPart: number;
}

/**
 * `fair share` is Kiln's own, where builds go to the builder that has their account's cache; without it any builder
 * takes them, as from one queue for all.
 */
export const policies = ['fair share', 'fair share, without caches in sight', 'in order of arrival'] as const;
export type Policy = (typeof policies)[number];

interface SimulatedBuild extends Arrival {
  id: string;
  /** Raised whenever it begins, so that an end that was foreseen for an earlier attempt is none. */
  attempt: number;
  startedAt?: number;
  builder?: number;
  heldAt?: number;
  isWarm?: boolean;
}

export interface Outcome {
  /** Each build, with when it first began. */
  builds: (Arrival & { startedAt: number })[];
  passes: number;
  /** Begun again after a builder was killed. */
  repeated: number;
  killed: number;
  drained: number;
  endedAt: number;
  /** Builds that began, by why they went where they did. */
  placed: Record<PlacementReason, number>;
  /** Builds that found their account's cache. */
  warm: number;
  /** Milliseconds that slots were in use, together. */
  busyMs: number;
  /** Of each minute in which at least two accounts had builds waiting all the time: Jain's index of what they got. */
  fairness: number[];
  /** Most builds that waited at once. */
  deepest: number;
}

const minute = 60_000;
/** A killed builder's builds are given back after this long. */
const givenBackMs = 1500;
const watchMs = 250;
/** Of one account and lane, the dispatcher looks at this many at most. */
const headsOfAccount = 16;

interface Account {
  id: string;
  waiting: Record<Lane, SimulatedBuild[]>;
  running: number;
  finishTag: number;
  /** Numbers of the builders that have its cache. */
  warmOn: Set<string>;
  /** How long its builds took of late, in seconds. */
  took: Took;
  /** What it got in the current minute, or undefined when it has not been waiting through all of it. */
  got: number | undefined;
}
interface SimulatedBuilder extends Builder {
  isDown: boolean;
  isDraining: boolean;
  /** Accounts whose cache it has, the one that built last at the end. */
  caches: Set<Account>;
}

const count = ({ waiting }: Account): number => lanes.reduce((sum, lane) => sum + waiting[lane].length, 0);

/** Jain's index: 1 when all got the same, 1/n when one got everything. */
export const jain = (values: number[]): number => {
  const sum = values.reduce((a, b) => a + b, 0);
  const squares = values.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
};

/** Plays arrivals on a fleet, by the fair share that the dispatcher has. */
export function simulate(arrivals: readonly Arrival[], fleet: Fleet, policy: Policy, random: Random): Outcome {
  const accounts = new Map<number, Account>();
  const waiters = new Set<Account>();
  const builders = Array.from({ length: fleet.builders }, (_, at): SimulatedBuilder => ({
    name: String(at),
    slots: fleet.slots,
    free: fleet.slots,
    isDown: false,
    isDraining: false,
    caches: new Set(),
  }));
  /** Those that take builds. */
  const open = new Map(builders.map((it) => [it.name, it]));
  const running = new Map<string, SimulatedBuild>();
  const events = new TinyQueue<{ at: number; run: () => void }>([], (a, b) => a.at - b.at);
  const outcome: Outcome = {
    builds: [], passes: 0, repeated: 0, killed: 0, drained: 0, endedAt: 0, busyMs: 0, fairness: [], deepest: 0,
    placed: { warm: 0, cold: 0, spilled: 0 }, warm: 0,
  }; // prettier-ignore
  let now = 0;
  let virtualTime = 0;
  let isAwake = false;
  let isWatched = false;
  let waitingBuilds = 0;
  let left = arrivals.length;

  const after = (ms: number, run: () => void) => events.push({ at: now + ms, run });
  // One account and one lane for all is one queue in the order of arrival.
  const isFair = policy !== 'in order of arrival';
  const laneOf = (build: Arrival): Lane => (isFair ? build.lane : 'normal');
  const queueOf = (build: Arrival): Account => accountOf(isFair ? build.account : -1);
  const accountOf = (owner: number): Account => {
    const found = accounts.get(owner);
    if (found) return found;
    const made: Account = {
      id: String(owner),
      waiting: { interactive: [], normal: [], bulk: [] },
      running: 0,
      finishTag: 0,
      warmOn: new Set(),
      took: { warm: undefined, cold: undefined },
      got: undefined,
    };
    accounts.set(owner, made);
    return made;
  };
  /** Whatever wakes the dispatcher while it is about to look is seen by that look. */
  const wake = (): void => {
    if (isAwake) return;
    isAwake = true;
    after(fleet.passMs, pass);
  };
  const watch = (): void => {
    if (isWatched) return;
    isWatched = true;
    after(watchMs, () => {
      isWatched = false;
      wake();
    });
  };
  const enqueue = (build: SimulatedBuild): void => {
    const account = queueOf(build);
    const queue = account.waiting[laneOf(build)];
    let place = queue.length;
    while (place > 0 && (queue[place - 1]?.at ?? 0) > build.at) place -= 1;
    queue.splice(place, 0, build);
    waiters.add(account);
    waitingBuilds += 1;
    outcome.deepest = Math.max(outcome.deepest, waitingBuilds);
    wake();
  };
  const takes = ({ isDown, isDraining, free }: SimulatedBuilder): boolean => !isDown && !isDraining && free > 0;
  /** Who builds on a builder has a cache there; the one that did so longest ago loses it. */
  const useCache = (at: number, account: Account): boolean => {
    const { caches } = builders[at] as SimulatedBuilder;
    const isWarm = caches.delete(account);
    caches.add(account);
    account.warmOn.add(String(at));
    const [oldest] = caches;
    if (caches.size > fleet.cachesMax && oldest) {
      caches.delete(oldest);
      oldest.warmOn.delete(String(at));
    }
    return isWarm;
  };
  const anyBuilder = (): number => {
    let at = random.int(0, builders.length - 1);
    while (!takes(builders[at] as SimulatedBuilder)) at = (at + 1) % builders.length;
    return at;
  };
  const begin = (build: SimulatedBuild, on: number, why: PlacementReason): void => {
    const account = queueOf(build);
    const queue = account.waiting[laneOf(build)];
    queue.splice(queue.indexOf(build), 1);
    waitingBuilds -= 1;
    if (account.got !== undefined) account.got += 1;
    if (count(account) === 0) {
      waiters.delete(account);
      account.got = undefined;
    }
    account.running += 1;
    (builders[on] as SimulatedBuilder).free -= 1;
    build.builder = on;
    outcome.placed[why] += 1;
    build.isWarm = useCache(on, accountOf(build.account));
    if (build.isWarm) outcome.warm += 1;
    build.attempt += 1;
    const { attempt } = build;
    running.set(build.id, build);
    build.startedAt ??= now + fleet.startMs;
    const takesMs = fleet.startMs + build.takesMs * (build.isWarm ? fleet.warmPart : 1);
    outcome.busyMs += takesMs;
    after(takesMs, () => {
      if (build.attempt === attempt && running.has(build.id)) end(build, takesMs);
    });
  };
  const end = (build: SimulatedBuild, tookMs: number): void => {
    running.delete(build.id);
    queueOf(build).running -= 1;
    const { took } = accountOf(build.account);
    const which = build.isWarm ? 'warm' : 'cold';
    const before = took[which];
    took[which] = before === undefined ? tookMs / 1000 : before * 0.7 + (tookMs / 1000) * 0.3;
    (builders[build.builder ?? 0] as SimulatedBuilder).free += 1;
    outcome.builds.push({ ...build, startedAt: build.startedAt ?? now });
    outcome.endedAt = now;
    left -= 1;
    wake();
  };
  const contender = (account: Account, heads: number): Contender<Waiting & { build: SimulatedBuild }> => ({
    accountId: account.id,
    running: account.running,
    weight: 1,
    runningMax: Infinity,
    finishTag: account.finishTag,
    knownOn: policy === 'fair share' ? account.warmOn : new Set(),
    took: account.took,
    waiting: lanes
      .flatMap((lane) => account.waiting[lane].slice(0, heads))
      .map((build) => ({
        id: build.id,
        lane: laneOf(build),
        waitedSeconds: (now - build.at) / 1000,
        warmOn: policy === 'fair share' ? account.warmOn : new Set<string>(),
        ...(build.heldAt === undefined ? {} : { heldSeconds: (now - build.heldAt) / 1000 }),
        build,
      }))
      .sort(byLaneAndAge),
  });
  const pass = (): void => {
    isAwake = false;
    outcome.passes += 1;
    let free = 0;
    for (const it of open.values()) free += it.free;
    if (free === 0 || waiters.size === 0) return;
    // No more than can go: an account's builds all have the same caches here, so those behind one that is held back
    // would be held back, too.
    const contenders = [...waiters].map((it) => contender(it, Math.min(free, headsOfAccount)));
    const next = chooseNext(contenders, open, free, virtualTime);
    virtualTime = next.virtualTime;
    for (const [id, tag] of next.finishTags) (accounts.get(Number(id)) as Account).finishTag = tag;
    for (const { build } of next.held) build.heldAt ??= now;
    for (const { build, on, why } of next.chosen)
      begin(build.build, policy === 'fair share' ? Number(on) : anyBuilder(), why);
    // Those that are held back are looked at again as often as the registrars' watch does.
    if (waiters.size > 0 && builders.some(takes)) {
      if (next.chosen.length > 0) wake();
      else watch();
    }
  };
  const upAgain = (builder: SimulatedBuilder): void => {
    Object.assign(builder, { isDown: false, isDraining: false, free: fleet.slots });
    open.set(builder.name, builder);
    wake();
  };
  const kill = (at: number): void => {
    const builder = builders[at] as SimulatedBuilder;
    if (left === 0) return;
    after(exponential(random, fleet.killedAfterDays * 86_400_000), () => kill(at));
    if (builder.isDown) return;
    builder.isDown = true;
    open.delete(builder.name);
    outcome.killed += 1;
    const lost = [...running.values()].filter((it) => it.builder === at);
    for (const build of lost) {
      running.delete(build.id);
      build.attempt += 1;
    }
    after(givenBackMs, () => {
      for (const build of lost) {
        queueOf(build).running -= 1;
        outcome.repeated += 1;
        enqueue(build);
      }
    });
    after(minute, () => upAgain(builder));
  };
  const drain = (at: number): void => {
    const builder = builders[at] as SimulatedBuilder;
    if (left === 0) return;
    after(fleet.drainedEveryHours * 3_600_000, () => drain(at));
    if (builder.isDown) return;
    builder.isDraining = true;
    open.delete(builder.name);
    outcome.drained += 1;
    const whenEmpty = (): void => {
      if (builder.isDown) return;
      if (builder.free < fleet.slots) return after(1000, whenEmpty);
      builder.isDown = true;
      after(minute, () => upAgain(builder));
    };
    whenEmpty();
  };
  const closeMinute = (): void => {
    const all = [...accounts.values()].flatMap(({ got }) => (got === undefined ? [] : [got]));
    if (all.length > 1) outcome.fairness.push(jain(all));
    for (const it of accounts.values()) it.got = waiters.has(it) ? 0 : undefined;
    if (left > 0) after(minute, closeMinute);
  };

  for (const at of builders.keys()) {
    after(exponential(random, fleet.killedAfterDays * 86_400_000), () => kill(at));
    after(random.next() * fleet.drainedEveryHours * 3_600_000, () => drain(at));
  }
  after(minute, closeMinute);
  let next = 0;
  for (;;) {
    const event = events.peek();
    const arrival = arrivals[next];
    if (arrival && (!event || arrival.at <= event.at)) {
      now = arrival.at;
      enqueue({ ...arrival, id: String(next), attempt: 0 });
      next += 1;
    } else if (event && left > 0) {
      events.pop();
      now = event.at;
      event.run();
    } else break;
  }
  return outcome;
}
