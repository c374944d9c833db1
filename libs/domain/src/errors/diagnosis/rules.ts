import type { Rule } from './rule.ts';
import { limitRules, registryRules } from './rules-of-codes.ts';
import { packageRules } from './rules-of-packages.ts';
import { shellRules } from './rules-of-shells.ts';

/** The first that fits counts: what says most comes first. */
export const rules: readonly Rule[] = [...limitRules, ...registryRules, ...packageRules, ...shellRules];
