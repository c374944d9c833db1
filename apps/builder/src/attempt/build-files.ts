import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { type ContextStore } from '@kiln/contexts';
import {
  below,
  type ContextEntry,
  type ContextRequest,
  Fault,
  ignoreFilesOf,
  type IgnoreRules,
  readIgnoreRules,
  withoutIgnored,
} from '@kiln/domain';
import { type ContextFiles } from '@kiln/engine';
import { type Build } from '@kiln/persistence';

/** The most of an ignore file that is read, in bytes. */
const ignoreBytesMax = 1 << 15;

/** How long an ignore file may take to be applied, and how long at a time, in milliseconds. */
const judgeMs = 20_000;
const sliceMs = 20;

interface AttemptLog {
  write(line: string): Promise<void>;
}

/** Paths that are left out. Other builds of this builder go on meanwhile, whatever the rules are. */
async function judge(
  entries: readonly ContextEntry[],
  rules: IgnoreRules,
  file: string,
  signal: AbortSignal,
): Promise<Set<string>> {
  const leftOut = new Set<string>();
  const begun = performance.now();
  let slice = begun;
  for (const { path } of entries) {
    if (rules.ignores(path)) leftOut.add(path);
    if (performance.now() - slice < sliceMs) continue;
    await setImmediate();
    signal.throwIfAborted();
    slice = performance.now();
    if (slice - begun > judgeMs)
      throw new Fault(
        'ContextInvalid',
        `${file} takes longer than ${judgeMs / 1000} s to be applied: it has too many patterns`,
      );
  }
  return leftOut;
}

/** What builds see of a context: its folder, without what the ignore file leaves out. */
async function filesOf(
  store: ContextStore,
  accountId: string,
  { id = '', subPath = '' }: ContextRequest,
  { where, ignoreFiles }: { where: string; ignoreFiles: readonly string[] },
  log: AttemptLog,
  signal: AbortSignal,
): Promise<ContextFiles> {
  const read = (sha256: string) => store.read(accountId, sha256);
  const all = below(await store.entries(accountId, id), subPath);
  const ignoreFile = ignoreFiles
    .map((path) => all.find((it) => it.path === path && it.type === 'file'))
    .find((it) => it !== undefined);
  if (ignoreFile?.type !== 'file') return { entries: all, read };
  if (ignoreFile.size > ignoreBytesMax)
    throw new Fault('ContextInvalid', `${where}${ignoreFile.path} has more than ${ignoreBytesMax} bytes`);
  const leftOut = await judge(all, readIgnoreRules(await text(read(ignoreFile.sha256))), ignoreFile.path, signal);
  const entries = withoutIgnored(all, (path) => leftOut.has(path));
  const count = all.length - entries.length;
  await log.write(`kiln: ${where}${ignoreFile.path} leaves out ${count} of ${all.length} files and folders`);
  return { entries, read };
}

/** Files that a build copies from. */
export interface BuildFiles {
  /** Undefined for a build without a context. */
  context: ContextFiles | undefined;
  named: Map<string, ContextFiles>;
}

/**
 * The files that a build copies from, without those that their ignore files leave out.
 * @throws Fault ContextNotFound, ContextInvalid
 */
export async function contextsOf(
  store: ContextStore | undefined,
  { accountId, request: { context, namedContexts = {} } }: Pick<Build, 'accountId' | 'request'>,
  log: AttemptLog,
  signal: AbortSignal,
): Promise<BuildFiles> {
  const named = new Map<string, ContextFiles>();
  // Another builder may: it is this one that lacks something.
  const lacking = new Fault(
    'ServiceUnavailable',
    'this builder sees no build contexts (KILN_CONTEXT_DIR, KILN_CONTEXT_BUCKET)',
  );
  for (const [name, it] of Object.entries(namedContexts)) {
    if ('image' in it) continue;
    if (!store) throw lacking;
    const of = { where: `context ${name}: `, ignoreFiles: ['.dockerignore'] };
    named.set(name, await filesOf(store, accountId, it, of, log, signal));
  }
  if (!context) return { context: undefined, named };
  if (!store) throw lacking;
  const own = { where: '', ignoreFiles: ignoreFilesOf(context.dockerfile ?? 'Dockerfile') };
  return { context: await filesOf(store, accountId, context, own, log, signal), named };
}
