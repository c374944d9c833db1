import { Fault } from '../errors/fault.ts';
import { globOf } from './glob.ts';

/** Says of a path whether it is left out. */
export interface IgnoreRules {
  /** @param path within the context, with slashes between its parts and none at its ends */
  ignores(path: string): boolean;
  /** Whether something below a folder that is left out may be taken in again. */
  readonly hasExceptions: boolean;
}

/** So that a path is judged in less than a second, however long it is. */
const rulesMax = 5000;
const wildcardsMax = 2000;
const foldersMax = 1000;

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
 * @throws Fault ContextInvalid for a pattern that is none, and for too many
 */
export function readIgnoreRules(text: string): IgnoreRules {
  const patterns = patternsOf(text);
  const wildcards = patterns.reduce((sum, { pattern }) => sum + pattern.split('*').length - 1, 0);
  if (patterns.length > rulesMax || wildcards > wildcardsMax)
    throw new Fault(
      'ContextInvalid',
      `the ignore file has too many patterns: ${rulesMax} may be, and ${wildcardsMax} stars in them`,
    );
  const rules = patterns.map(({ pattern, isException }): Rule => {
    const matches = globOf(pattern);
    if (!matches)
      throw new Fault('ContextInvalid', `the ignore file has a malformed pattern: ${pattern.slice(0, 200)}`);
    return { isException, matches };
  });
  /** Rules that a folder, or one above it, matches: of the last folders, since paths come in order. */
  const ofFolders = new Map<string, Uint8Array>();

  function judge(path: string): { isLeftOut: boolean; matched: Uint8Array } {
    const end = path.lastIndexOf('/');
    const above = end < 0 ? undefined : matchedBy(path.slice(0, end));
    let isLeftOut = false;
    const matched = new Uint8Array(rules.length);
    for (const [index, { isException, matches }] of rules.entries()) {
      if (above?.[index] !== 1 && (isException !== isLeftOut || !matches(path))) continue;
      isLeftOut = !isException;
      matched[index] = 1;
    }
    return { isLeftOut, matched };
  }
  function matchedBy(folder: string): Uint8Array {
    const known = ofFolders.get(folder);
    if (known) return known;
    const { matched } = judge(folder);
    if (ofFolders.size >= foldersMax) ofFolders.clear();
    ofFolders.set(folder, matched);
    return matched;
  }
  return {
    ignores: (path) => judge(path).isLeftOut,
    hasExceptions: rules.some((it) => it.isException),
  };
}
