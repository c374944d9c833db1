import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import type { ContextStore } from '@kiln/contexts';
import { type ContextEntry, Fault, type IgnoreRules, readIgnoreRules } from '@kiln/domain';

/** The most of an ignore file that is read, in bytes. */
const ignoreBytesMax = 1 << 15;

/** How long an ignore file is applied at a time, in milliseconds. */
const sliceMs = 20;

/** How long it may be applied. */
export interface JudgeLimits {
  /** In milliseconds. */
  ms: number;
  signal?: AbortSignal;
}

/** What an ignore file leaves out. */
export interface Ignored {
  /** Path of the ignore file. */
  file: string;
  paths: ReadonlySet<string>;
}

/** Paths that are left out. Whatever the rules are, other work of this process goes on meanwhile. */
async function judge(
  entries: readonly ContextEntry[],
  rules: IgnoreRules,
  file: string,
  { ms, signal }: JudgeLimits,
): Promise<Set<string>> {
  const paths = new Set<string>();
  const begun = performance.now();
  let slice = begun;
  for (const { path } of entries) {
    if (rules.ignores(path)) paths.add(path);
    if (performance.now() - slice < sliceMs) continue;
    await setImmediate();
    signal?.throwIfAborted();
    slice = performance.now();
    if (slice - begun > ms)
      throw new Fault(
        'ContextInvalid',
        `${file} takes longer than ${ms / 1000} s to be applied: it has too many patterns`,
      );
  }
  return paths;
}

/**
 * Applies the first of these ignore files that a context has.
 * @returns undefined when it has none of them
 * @throws Fault ContextInvalid
 */
export async function findIgnored(
  { read }: { read: (sha256: string) => ReturnType<ContextStore['read']> },
  entries: readonly ContextEntry[],
  ignoreFiles: readonly string[],
  limits: JudgeLimits,
): Promise<Ignored | undefined> {
  const found = ignoreFiles
    .map((path) => entries.find((it) => it.path === path && it.type === 'file'))
    .find((it) => it !== undefined);
  if (found?.type !== 'file') return undefined;
  if (found.size > ignoreBytesMax)
    throw new Fault('ContextInvalid', `${found.path} has more than ${ignoreBytesMax} bytes`);
  const rules = readIgnoreRules(await text(read(found.sha256)));
  return { file: found.path, paths: await judge(entries, rules, found.path, limits) };
}
