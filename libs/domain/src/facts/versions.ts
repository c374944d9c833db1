/** The numbers a version begins with, without zeros at its end: `2.6.0+cu124` is 2, 6; an epoch is left out. */
export function versionKey(version: string): number[] {
  const numbers = (/^(?:v|\d+[:!])?(\d+(?:\.\d+)*)/.exec(version)?.[1] ?? '').split('.').filter(Boolean).map(Number);
  while (numbers.at(-1) === 0) numbers.pop();
  // PostgreSQL's integers.
  return numbers.slice(0, 6).map((it) => Math.min(it, 2_147_483_647));
}

/** A package's name as all write it: PyPI's are the same in any case, with any of these between their words. */
export const packageKey = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');

/** The newest of those that are there. */
export const newestOf = (versions: readonly (string | undefined)[]): string | undefined =>
  versions
    .filter((it): it is string => it !== undefined)
    .sort(compareVersions)
    .at(-1);

/** Negative where a is older than b, by their numbers; zero where those are equal. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [versionKey(a), versionKey(b)];
  for (let n = 0; n < Math.max(left.length, right.length); n++) {
    const difference = (left[n] ?? 0) - (right[n] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
