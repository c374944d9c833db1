/** A builder as the dispatcher sees it. */
export interface Builder {
  name: string;
  slots: number;
  /** Slots in which nothing runs and for which nothing is meant; below 0 when more was meant for it than it has. */
  free: number;
}

/**
 * Why a build goes to a builder: that has built what it begins with; those that have were busy too long; or none has.
 */
export const placementReasons = ['warm', 'spilled', 'cold'] as const;
export type PlacementReason = (typeof placementReasons)[number];

/** A build that waits, and where what earlier builds of its account left is. */
export interface Wanted {
  accountId: string;
  took: Took;
  /** Names of the builders that have built what it begins with. */
  warmOn: ReadonlySet<string>;
  /** Names of all builders that have a cache of the account. */
  knownOn: ReadonlySet<string>;
  /** Names of builders on which it has been tried, or that did not come for it: others go first. */
  avoid: ReadonlySet<string>;
  /** For how long its turn has been held back, in seconds. */
  heldSeconds: number;
  /** How many builds of the account are held back before it. */
  heldBefore: number;
}

/** How long an account's builds took of late, in seconds, on warm builders and on others. */
export interface Took {
  warm: number | undefined;
  cold: number | undefined;
}

export interface Place {
  /** Name of the builder. */
  on: string;
  why: PlacementReason;
}

const patienceSecondsMax = 10;
const patienceShare = 0.3;

/**
 * For how long a build is held back for a warm builder, in seconds: a part of what caches saved the account before.
 */
export const patienceFor = (took: Took): number =>
  took.cold === undefined ? 0 : Math.min(patienceSecondsMax, patienceShare * Math.max(0, took.cold - (took.warm ?? 0)));

/** A builder may have this much more than the others before an account that is new goes elsewhere. */
const loadMax = 1.25;

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}

/** Slots of builders that are free, and which of them an account's next build is to have. */
export class FreeSlots {
  readonly #builders: ReadonlyMap<string, Builder>;
  readonly #taken = new Map<string, number>();

  /** @param builders by their names */
  constructor(builders: ReadonlyMap<string, Builder>) {
    this.#builders = builders;
  }

  /**
   * Why a build may go now, as long as any slot is free.
   * @returns undefined while it is to wait for a builder that has built what it begins with
   */
  reasonFor({ warmOn, avoid, took, heldSeconds, heldBefore }: Omit<Wanted, 'knownOn'>): PlacementReason | undefined {
    const warm = this.#among(warmOn, avoid);
    if (warm.some((it) => this.#free(it) > 0)) return 'warm';
    if (warm.length === 0) return 'cold';
    const patience = patienceFor(took);
    if (heldSeconds >= patience) return 'spilled';
    // More than these builders will have ended by then would wait in vain.
    const slots = warm.reduce((sum, it) => sum + it.slots, 0);
    const inTime = (slots * patience) / (took.warm ?? took.cold ?? Infinity);
    return heldBefore < Math.max(1, Math.floor(inTime)) ? undefined : 'spilled';
  }

  /** Takes a slot for a build, for the reason that there is. */
  take(
    { accountId, warmOn, knownOn, avoid }: Omit<Wanted, 'took' | 'heldSeconds' | 'heldBefore'>,
    why: PlacementReason,
  ): Place {
    const builder =
      why === 'warm'
        ? this.#freestOf(this.#among(warmOn, avoid))
        : (this.#freestOf(this.#among(knownOn, avoid).filter((it) => this.#free(it) > 0)) ??
          this.#lightFor(accountId, avoid) ??
          this.#lightFor(accountId, new Set()));
    if (!builder) throw new Error('no slot is free');
    this.#taken.set(builder.name, (this.#taken.get(builder.name) ?? 0) + 1);
    return { on: builder.name, why };
  }

  #free({ name, free }: Builder): number {
    return free - (this.#taken.get(name) ?? 0);
  }

  #among(names: ReadonlySet<string>, avoid: ReadonlySet<string>): Builder[] {
    return [...names].flatMap((it) => (avoid.has(it) ? [] : (this.#builders.get(it) ?? [])));
  }

  #freestOf(builders: Builder[]): Builder | undefined {
    let best: Builder | undefined;
    for (const it of builders) if (!best || this.#free(it) > this.#free(best)) best = it;
    return best;
  }

  // The builds of an account that is new go to the same builder, unless that has more to do than the others: by
  // rendezvous hashing with bounded loads.
  #lightFor(accountId: string, avoid: ReadonlySet<string>): Builder | undefined {
    const load = (it: Builder): number => (it.slots - this.#free(it)) / it.slots;
    let sum = 0;
    for (const it of this.#builders.values()) sum += load(it);
    const most = (loadMax * sum) / this.#builders.size;
    let best: { builder: Builder; isLight: boolean; rank: number } | undefined;
    for (const builder of this.#builders.values()) {
      if (this.#free(builder) <= 0 || avoid.has(builder.name)) continue;
      const isLight = load(builder) <= most;
      if (best?.isLight && !isLight) continue;
      const rank = hash(`${accountId} ${builder.name}`);
      if (!best || (isLight && !best.isLight) || rank > best.rank) best = { builder, isLight, rank };
    }
    return best?.builder;
  }
}
