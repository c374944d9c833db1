import { globOf } from '../contexts/glob.ts';
import type { Visibility } from '../access/visibility.ts';
import type { Label } from '../images/label.ts';

/** Which images of some repositories are kept; one that nothing of it keeps may go. */
export interface KeepRule {
  /** Patterns such as `ml/**`; the first rule of which one fits decides about a repository. */
  repositories: string[];
  /** So many of the newest of each repository. */
  keepLast: number;
  /** Patterns such as `v*`. */
  keepTags: string[];
  keepLabels: Label[];
  /** Those that are not older, in days. */
  keepDays: number;
  /** Those that were used not longer ago, in days. */
  keepUsedDays: number;
}

/** How long images are kept. An image of a repository that no rule is for is kept. */
export interface RetentionRules {
  rules: KeepRule[];
  /** Days from an image being deprecated until it is hidden. */
  hideAfterDays: number;
  /** Days from an image being hidden until it is deleted. */
  deleteAfterDays: number;
  /** Whether its manifest is taken out of its registry, too. */
  purge: boolean;
}

export const noRetention: RetentionRules = { rules: [], hideAfterDays: 7, deleteAfterDays: 7, purge: false };

/** How far an image is on its way out. */
export const retiringStages = ['deprecated', 'hidden'] as const;
export type RetiringStage = (typeof retiringStages)[number];

/** An image on its way out, and what it was before. */
export interface Retiring {
  stage: RetiringStage;
  reason: string;
  /** What its status message says of it. */
  message: string;
  before: { visibility: Visibility; hidden: boolean; publicById: boolean };
}

/** An image, as far as rules look at it. */
export interface RetainedImage {
  id: string;
  /** Whether it is one of those that the rules are for; others only keep what they were made from. */
  isRuled: boolean;
  /** Whether it is there and nothing is wrong with it. */
  isUsable: boolean;
  /** Whether it is on its way out. */
  isRetiring: boolean;
  host: string;
  repository: string;
  tag: string;
  digest: string | null;
  labels: Label[];
  createdAt: Date;
  /** When somebody last said that it was used, or a build started from it. */
  usedAt: Date | null;
  pinned: boolean;
  sizeBytes: number | null;
  /** `host/repository@digest` of the images that it was made from. */
  bases: string[];
}

const dayMs = 86_400_000;
const isWithin = (at: Date | null, days: number, now: Date): boolean =>
  at !== null && now.getTime() - at.getTime() < days * dayMs;
const anyOf = (patterns: readonly string[]) => {
  const globs = patterns.map(globOf);
  return (text: string): boolean => globs.some((it) => it?.(text));
};

/**
 * The places of usable images among those of their repository, the newest first, from 0; entries of one digest share one.
 * What cannot be used has none.
 */
function placesOf(images: readonly RetainedImage[]): Map<string, number> {
  const digests = new Map<string, string[]>();
  const places = new Map<string, number>();
  const ruled = images.filter((it) => it.isRuled && it.isUsable);
  for (const it of ruled.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())) {
    const key = `${it.host}/${it.repository}`;
    const known = digests.get(key) ?? [];
    if (known.length === 0) digests.set(key, known);
    if (!known.includes(it.digest ?? '')) known.push(it.digest ?? '');
    places.set(it.id, known.indexOf(it.digest ?? ''));
  }
  return places;
}

/** Tells of one rule whether it is for a repository, and whether it keeps an image of it. */
function readRule(rule: KeepRule, now: Date) {
  const keepsTag = anyOf(rule.keepTags);
  const hasLabel = (it: RetainedImage) =>
    rule.keepLabels.some(({ key, value }) => it.labels.some((own) => own.key === key && own.value === value));
  return {
    rule,
    isFor: anyOf(rule.repositories),
    keeps: (it: RetainedImage, place: number): boolean =>
      it.pinned ||
      place < rule.keepLast ||
      keepsTag(it.tag) ||
      hasLabel(it) ||
      isWithin(it.createdAt, rule.keepDays, now) ||
      isWithin(it.usedAt, rule.keepUsedDays, now),
  };
}

/** Why an image may go. */
const explain = (rule: KeepRule): string =>
  [
    `not among the last ${rule.keepLast} of its repository`,
    `older than ${rule.keepDays} days`,
    `not used for ${rule.keepUsedDays} days`,
  ].join(', ');

/** Which images the rules alone would let go, and why. */
function reasonsBy(rules: readonly KeepRule[], images: readonly RetainedImage[], now: Date): Map<string, string> {
  const places = placesOf(images);
  const read = rules.map((it) => readRule(it, now));
  const byRepository = new Map<string, (typeof read)[number] | undefined>();
  const ruleFor = (repository: string) => {
    if (!byRepository.has(repository))
      byRepository.set(
        repository,
        read.find(({ isFor }) => isFor(repository)),
      );
    return byRepository.get(repository);
  };
  const reasons = new Map<string, string>();
  for (const it of images) {
    const found = it.isRuled ? ruleFor(it.repository) : undefined;
    if (found && !found.keeps(it, places.get(it.id) ?? Infinity)) reasons.set(it.id, explain(found.rule));
  }
  return reasons;
}

/**
 * Which images of an account may go, and why. What was made from an image keeps it as long as it stays itself, and one entry
 * is enough where several stand for the same image.
 * @param chosen the only ones that go beside those that are on their way out; all that the rules let go where it is
 * not given
 * @returns reasons by the ids of images
 */
export function removable(
  images: readonly RetainedImage[],
  { rules }: Pick<RetentionRules, 'rules'>,
  now: Date,
  chosen?: ReadonlySet<string>,
): Map<string, string> {
  const reasons = reasonsBy(rules, images, now);
  if (chosen) for (const { id, isRetiring } of images) if (!isRetiring && !chosen.has(id)) reasons.delete(id);
  const byContent = new Map<string, RetainedImage[]>();
  for (const it of images) {
    const key = `${it.host}/${it.repository}@${it.digest ?? ''}`;
    const entries = byContent.get(key);
    if (entries) entries.push(it);
    else byContent.set(key, [it]);
  }
  const waiting = images.filter((it) => !reasons.has(it.id));
  for (let image = waiting.pop(); image; image = waiting.pop())
    for (const base of image.bases) {
      const entries = byContent.get(base) ?? [];
      const usable = entries.filter((it) => it.isUsable);
      const candidates = usable.length > 0 ? usable : entries;
      if (candidates.some((it) => !reasons.has(it.id))) continue;
      const [newest] = candidates.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
      if (!newest) continue;
      reasons.delete(newest.id);
      waiting.push(newest);
    }
  return reasons;
}

/** Bytes of the images among `going` of which no other image that stays has the same digest, each counted once. */
export function bytesFreed(images: readonly RetainedImage[], going: ReadonlySet<string>): number {
  const staying = new Set(images.filter((it) => !going.has(it.id)).map((it) => it.digest));
  const sizes = new Map(
    images
      .filter((it) => going.has(it.id) && it.digest !== null && !staying.has(it.digest))
      .map((it) => [it.digest, it.sizeBytes ?? 0]),
  );
  return [...sizes.values()].reduce((sum, it) => sum + it, 0);
}
