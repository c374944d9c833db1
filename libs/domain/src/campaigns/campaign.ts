/**
 * How far a campaign is. `stopped`: by itself, for too many of its builds failed; somebody may let it go on. `done` and
 * `cancelled` are ends.
 */
export const campaignStates = ['planned', 'running', 'paused', 'stopped', 'done', 'cancelled'] as const;
export type CampaignState = (typeof campaignStates)[number];

/** What somebody may make of a campaign, from which states. */
export const campaignMoves = {
  running: ['planned', 'paused', 'stopped'],
  paused: ['running'],
  cancelled: ['planned', 'running', 'paused', 'stopped'],
} as const satisfies Partial<Record<CampaignState, readonly CampaignState[]>>;

/** What has become of one image of a campaign; `skipped`: it was not built, and `message` says why. */
export const campaignOutcomes = ['waiting', 'building', 'succeeded', 'failed', 'skipped'] as const;
export type CampaignOutcome = (typeof campaignOutcomes)[number];

/** So many images one campaign builds at most. */
export const campaignImagesMax = 5000;

/** How a campaign goes about it. */
export interface CampaignPace {
  /** Builds that it submits within an hour at most. */
  ratePerHour: number;
  /** Share of its images that are built first, and all have to succeed before the others are. */
  canaryPercent: number;
  /** Share of its ended builds that may fail. */
  stopPercent: number;
}

export interface CampaignItem {
  /** From 1; bases before what stands on them. */
  place: number;
  outcome: CampaignOutcome;
  /** `host/repository:tag` that it is built for. */
  reference: string;
  /** The same of what it is made from. */
  bases: string[];
}

/**
 * Brings images into an order in which each comes after those that it is made from; images that stand on each other in a
 * circle keep their order.
 */
export function basesFirst<T extends Pick<CampaignItem, 'reference' | 'bases'>>(items: readonly T[]): T[] {
  const byReference = new Map(items.map((it) => [it.reference, it]));
  const ordered = new Set<T>();
  const entered = new Set<T>();
  const add = (item: T): void => {
    if (entered.has(item)) return;
    entered.add(item);
    for (const base of item.bases) {
      const found = byReference.get(base);
      if (found) add(found);
    }
    ordered.add(item);
  };
  for (const it of items) add(it);
  return [...ordered];
}

/** What a campaign is to do next. */
export type CampaignStep =
  | { kind: 'build'; place: number }
  | { kind: 'skip'; place: number; message: string }
  | { kind: 'wait' }
  | { kind: 'end'; state: 'done' | 'stopped'; reason: string };

const hasEnded = ({ outcome }: CampaignItem): boolean => outcome !== 'waiting' && outcome !== 'building';

/** Why a campaign is to stop by itself, if it is. */
function reasonToStop(
  items: readonly CampaignItem[],
  canaries: readonly CampaignItem[],
  { stopPercent }: CampaignPace,
  accepted: number,
): string | undefined {
  const failed = items.filter((it) => it.outcome === 'failed').length;
  if (failed <= accepted) return undefined;
  const isTried = (it: CampaignItem): boolean => it.outcome === 'failed' || it.outcome === 'succeeded';
  const tried = items.filter(isTried).length;
  if (!items.slice(canaries.length).some(isTried)) return `${failed} of the first ${canaries.length} failed`;
  const share = ((failed - accepted) / tried) * 100;
  return share > stopPercent ? `${failed} of ${tried} builds failed, more than ${stopPercent} percent` : undefined;
}

/**
 * @param accepted failures that somebody knew of who let the campaign go on
 */
export function nextStep(items: readonly CampaignItem[], pace: CampaignPace, accepted: number): CampaignStep {
  const canaries = items.slice(0, Math.max(1, Math.ceil((items.length * pace.canaryPercent) / 100)));
  const reason = reasonToStop(items, canaries, pace, accepted);
  if (reason !== undefined) return { kind: 'end', state: 'stopped', reason };
  if (items.every(hasEnded)) return { kind: 'end', state: 'done', reason: '' };
  const open = canaries.every(hasEnded) ? items : canaries;
  for (const item of open.filter((it) => it.outcome === 'waiting')) {
    const bases = items.filter((it) => it !== item && item.bases.includes(it.reference) && it.place < item.place);
    const lacking = bases.find((it) => it.outcome === 'failed' || it.outcome === 'skipped');
    if (lacking) return { kind: 'skip', place: item.place, message: `its base ${lacking.reference} was not built` };
    if (bases.every(hasEnded)) return { kind: 'build', place: item.place };
  }
  return { kind: 'wait' };
}

const nameMax = 50;

/** A name for the image that a campaign builds anew at one of its places; the earlier one keeps its own. */
export function campaignName(name: string, campaignId: string, place: number): string {
  const suffix = `-c${campaignId.slice(-6)}-${place}`;
  return `${name.replace(/-c[0-9a-f]{6}-\d+$/, '').slice(0, nameMax - suffix.length)}${suffix}`;
}
