import { checksFor, type ProfileResult, type Severity, type Verdict, verdictOf } from '../profiles/profile.ts';
import { categoriesOf, profilesOfImage, type Purpose } from '../profiles/profiles-of-image.ts';
import type { ImagePolicy, PolicyMode } from './policy.ts';

/** A rule that an image breaks. */
export interface BrokenRule {
  profile: string;
  rule: string;
  title: string;
  severity: Severity;
  found: string;
}

/** How an image did by its workspace's policy. */
export interface ImageCheck {
  digest: string;
  mode: PolicyMode;
  /** The worst of its profiles. */
  verdict: Verdict;
  profiles: { profile: string; verdict: Verdict }[];
  broken: BrokenRule[];
  /** When, in ISO 8601. */
  at: string;
}

/** From the worst. */
const order: Verdict[] = ['fail', 'unknown', 'warn', 'pass'];
const brokenMax = 50;

export const profilesByPolicy = (policy: ImagePolicy, purpose: Purpose): string[] =>
  policy.mode === 'off' ? [] : policy.profiles.length > 0 ? policy.profiles : profilesOfImage(purpose);

/**
 * Holds what is known of an image against a policy.
 * @param results undefined where the image could not be read
 * @returns undefined where the policy asks nothing of it
 */
export function judge(
  policy: ImagePolicy,
  purpose: Purpose,
  results: readonly ProfileResult[] | undefined,
): Pick<ImageCheck, 'mode' | 'verdict' | 'profiles' | 'broken'> | undefined {
  const names = profilesByPolicy(policy, purpose);
  if (names.length === 0) return undefined;
  const broken: BrokenRule[] = [];
  const profiles = names.map((profile) => {
    const result = results?.find((it) => it.profile === profile);
    // One that came after the image was read, or that nobody knows.
    if (!result) return { profile, verdict: 'unknown' as const };
    const checks = checksFor(result.checks, categoriesOf(purpose));
    for (const { rule, title, severity, found, result: outcome } of checks)
      if (outcome === 'fail') broken.push({ profile, rule, title, severity, found });
    return { profile, verdict: verdictOf(checks) };
  });
  const verdict = order.find((it) => profiles.some((one) => one.verdict === it)) ?? 'pass';
  broken.sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
  return { mode: policy.mode, verdict, profiles, broken: broken.slice(0, brokenMax) };
}

const rulesMax = 5;

/** `fails pai-eas: P1 it exposes 8080, …; P2 …`: why an image is refused, or warned of. */
export const explainBroken = (broken: readonly BrokenRule[]): string =>
  [...new Set(broken.map((it) => it.profile))]
    .map((profile) => {
      const all = broken.filter((it) => it.profile === profile);
      const told = all.slice(0, rulesMax).map((it) => `${it.rule} ${it.found}`);
      return `fails ${profile}: ${told.join('; ')}${all.length > rulesMax ? `; and ${all.length - rulesMax} more` : ''}`;
    })
    .join('. ');
