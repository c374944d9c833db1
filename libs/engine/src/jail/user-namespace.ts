import { readFileSync } from 'node:fs';

/**
 * How many ids a user namespace has, from 0 without a gap.
 * @param map text of its `uid_map`: of each line, the first id inside, the first outside, and how many
 * @returns undefined for the machine's own, which has all of them
 */
export function idsIn(map: string): number | undefined {
  const lines = map.trim().split('\n').map((it) => it.trim().split(/\s+/).map(Number)); // prettier-ignore
  if (lines.length === 1 && lines[0]?.join() === '0,0,4294967295') return undefined;
  let ids = 0;
  for (const [inside = 0, , count = 0] of lines.sort(([a = 0], [b = 0]) => a - b)) if (inside === ids) ids += count;
  return ids;
}

/**
 * Ids of this process's own user namespace; undefined on the machine itself. In a namespace of its own, a builder is
 * nobody's root: it mounts no file system of a file, and has no control groups to hand out.
 */
export const idsHere = idsIn(readFileSync('/proc/self/uid_map', 'utf8'));
export const isRootOfMachine = idsHere === undefined;
