import { Fault } from '../errors/fault.ts';
import { globOf } from './glob.ts';

/** Says of a path whether it is left out. */
export interface IgnoreRules {
  /** @param path within the context, with slashes between its parts and none at its ends */
  ignores(path: string): boolean;
  /** Whether something below a folder that is left out may be taken in again. */
  readonly hasExceptions: boolean;
}

interface Rule {
  /** Takes in what the rules before it leave out. */
  isException: boolean;
  matches: (path: string) => boolean;
}

/** A path without `.`, `..` and doubled slashes. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !path.startsWith('/')) parts.push(part);
  }
  return parts.join('/') || '.';
}

/** Patterns of an ignore file, line by line. */
function patternsOf(text: string): { pattern: string; isException: boolean }[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#') && line.trim() !== '')
    .map((line) => {
      const trimmed = line.trim();
      const isException = trimmed.startsWith('!');
      const pattern = isException ? trimmed.slice(1).trim() : trimmed;
      if (pattern === '') throw new Fault('ContextInvalid', 'the ignore file has a line with nothing but "!"');
      return { pattern: clean(pattern), isException };
    });
}

/**
 * Reads an ignore file by Docker's rules: the last rule that a path or a folder above it matches says whether it is left
 * out. Each path is matched in time that grows with it and with the pattern, whatever they hold.
 * @throws Fault ContextInvalid for a pattern that is none
 */
export function readIgnoreRules(text: string): IgnoreRules {
  const rules = patternsOf(text).map(({ pattern, isException }): Rule => {
    const matches = globOf(pattern);
    if (!matches)
      throw new Fault('ContextInvalid', `the ignore file has a malformed pattern: ${pattern.slice(0, 200)}`);
    return { isException, matches };
  });
  /** Rules that a folder, or one above it, matches. */
  const ofFolders = new Map<string, boolean[]>();

  function judge(path: string): { isLeftOut: boolean; matched: boolean[] } {
    const end = path.lastIndexOf('/');
    const above = end < 0 ? undefined : matchedBy(path.slice(0, end));
    let isLeftOut = false;
    const matched = rules.map(({ isException, matches }, index) => {
      const isMatch = above?.[index] === true || (isException === isLeftOut && matches(path));
      if (isMatch) isLeftOut = !isException;
      return isMatch;
    });
    return { isLeftOut, matched };
  }
  function matchedBy(folder: string): boolean[] {
    const known = ofFolders.get(folder);
    if (known) return known;
    const { matched } = judge(folder);
    ofFolders.set(folder, matched);
    return matched;
  }
  return {
    ignores: (path) => judge(path).isLeftOut,
    hasExceptions: rules.some((it) => it.isException),
  };
}
