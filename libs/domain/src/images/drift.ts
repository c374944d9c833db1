/**
 * How a registry came to differ from the catalogue. `moved`: the tag names another image; `untagged`: the tag is gone and
 * the image still there; `gone`: the image itself is no longer there.
 */
export const driftKinds = ['moved', 'untagged', 'gone'] as const;

export interface ImageDrift {
  kind: (typeof driftKinds)[number];
  /** What the tag names now; undefined where there is no such tag. */
  digest?: string;
}

/** Which drift makes an image an ERROR; what does not is noted on it. */
export const driftErrors = ['none', 'gone', 'any'] as const;
export type DriftErrors = (typeof driftErrors)[number];

/**
 * Compares an entry of the catalogue with what its registry holds.
 * @param holdsTag whether the entry's tag is to name it: of several builds of one tag, only that of the last does
 * @param found what the tag names now, and whether the entry's own image is there
 */
export function driftOf(
  entry: { digest: string; holdsTag: boolean },
  found: { digest: string | undefined; isThere: boolean },
): ImageDrift | undefined {
  if (entry.digest === found.digest) return undefined;
  const now = found.digest === undefined ? {} : { digest: found.digest };
  if (!found.isThere) return { kind: 'gone', ...now };
  if (!entry.holdsTag) return undefined;
  return { kind: found.digest === undefined ? 'untagged' : 'moved', ...now };
}

export const explainDrift = ({ kind, digest }: ImageDrift): string =>
  ({
    moved: `its tag names ${digest ?? 'another image'} now`,
    untagged: 'its tag is gone from the registry',
    gone: 'the registry no longer has it',
  })[kind];

export const isDriftError = (errors: DriftErrors, { kind }: ImageDrift): boolean =>
  errors === 'any' || (errors === 'gone' && kind === 'gone');
