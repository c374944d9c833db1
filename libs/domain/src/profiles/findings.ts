import type { Left } from '../facts/root-tree.ts';
import type { CheckResult } from './profile.ts';

/** What a check came to. */
export interface Finding {
  result: CheckResult;
  found: string;
  path?: string;
  layer?: number;
}

export const pass = (found: string): Finding => ({ result: 'pass', found });
export const unknown = (found: string): Finding => ({ result: 'unknown', found });
export const notApplicable = (found: string): Finding => ({ result: 'not-applicable', found });

/** @param at what of the image fails */
export const fail = (found: string, at?: Left<{ path: string }>): Finding => ({
  result: 'fail',
  found,
  ...(at ? { path: at.path.startsWith('/') ? at.path : `/${at.path}`, layer: at.layer } : {}),
});

/** What is not found where not all is known, is not known to be missing. */
export const missing = (found: string, { cut }: { cut: boolean }): Finding =>
  cut ? unknown(`${found}, as far as is known: the image has more files than are looked at`) : fail(found);
