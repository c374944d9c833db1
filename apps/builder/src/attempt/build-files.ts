import type { ContextStore } from '@kiln/contexts';
import { below, type ContextRequest, Fault, ignoreFilesOf, withoutIgnored } from '@kiln/domain';
import type { ContextFiles } from '@kiln/engine';
import type { Build } from '@kiln/persistence';
import { findIgnored } from '@kiln/usecases';

/** How long an ignore file may take, in milliseconds. */
const judgeMs = 20_000;

interface AttemptLog {
  write(line: string): Promise<void>;
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
  const ignored = await findIgnored({ read }, all, ignoreFiles, { ms: judgeMs, signal });
  if (!ignored) return { entries: all, read };
  const entries = withoutIgnored(all, (path) => ignored.paths.has(path));
  const count = all.length - entries.length;
  await log.write(`kiln: ${where}${ignored.file} leaves out ${count} of ${all.length} files and folders`);
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
