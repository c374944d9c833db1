import { createHash } from 'node:crypto';
import { type ContextStore, readArchive, readBlobArchive } from '@kiln/contexts';
import { bytesIn, canonicalEntries, checkSize, filesIn, type ContextEntry, Fault, readEntries } from '@kiln/domain';
import { type ContextRules, readAtMost } from '@kiln/kit';
import { findContext, type KeptContext, putContext } from '@kiln/persistence';
import type { ContextsAtHand } from './with-context.ts';

export interface ContextDeps extends ContextsAtHand {
  contextRules: ContextRules;
}

/** A context that is kept, or that waits for some of its files. */
export interface PlannedContext {
  id: string;
  files: number;
  bytes: number;
  kept: KeptContext | undefined;
  /** SHA-256 of files that are missing. */
  missing: string[];
}

/** The most bytes that may stand behind the end of an archive: tar fills its last record with some. */
const behindBytesMax = 1 << 20;

/** The most bytes of a list of entries. */
const listBytesMax = 64 << 20;

/** @throws Fault ContextNotFound where none are kept */
export function requireStore({ contexts }: Pick<ContextDeps, 'contexts'>): ContextStore {
  if (!contexts)
    throw new Fault(
      'ContextNotFound',
      'this installation keeps no build contexts (KILN_CONTEXT_DIR, KILN_CONTEXT_BUCKET)',
    );
  return contexts;
}

/** @throws Fault ContextTooLarge */
export async function requireSpace(deps: ContextDeps, accountId: string): Promise<void> {
  const { accountBytes } = deps.contextRules;
  const store = requireStore(deps);
  const used = await store.usage(accountId);
  if (used >= accountBytes)
    throw new Fault(
      'ContextTooLarge',
      `the files of the account's contexts take ${used} bytes, and ${accountBytes} may be; delete some, or wait until they expire`,
    );
}

/**
 * Keeps an archive as a context.
 * @param digest of the archive, when its sender names it
 * @throws Fault ContextInvalid, ContextTooLarge
 */
export async function keepArchive(
  deps: ContextDeps,
  accountId: string,
  body: AsyncIterable<Buffer>,
  digest: string | undefined,
): Promise<{ context: KeptContext; isNew: boolean }> {
  const { db, contextRules } = deps;
  const store = requireStore(deps);
  if (digest !== undefined) {
    const known = await findContext(db, accountId, { archive: digest });
    if (known) {
      const { id, files, bytes } = known;
      const context = await putContext(db, { accountId, id, files, bytes, archive: digest }, contextRules.hours);
      return { context, isNew: false };
    }
  }
  await requireSpace(deps, accountId);
  const hash = createHash('sha256');
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const bytes = hashed();
  const entries = await readArchive(bytes, store, accountId, contextRules);
  // What stands behind the end of the archive is part of its digest, too.
  let behind = 0;
  for (let next = await bytes.next(); !next.done; next = await bytes.next()) {
    behind += next.value.length;
    if (behind > behindBytesMax) throw new Fault('ContextInvalid', 'the archive goes on long after its end');
  }
  const archive = `sha256:${hash.digest('hex')}`;
  if (digest !== undefined && digest !== archive)
    throw new Fault('ContextInvalid', `the archive is ${archive}, and Digest says ${digest}`);
  return keepEntries(deps, accountId, entries, archive);
}

/** Keeps a context all of whose files are here. */
export async function keepEntries(
  deps: ContextDeps,
  accountId: string,
  entries: readonly ContextEntry[],
  archive?: string,
): Promise<{ context: KeptContext; isNew: boolean }> {
  const id = await requireStore(deps).putEntries(accountId, entries);
  const before = await findContext(deps.db, accountId, { id });
  const row = { accountId, id, files: entries.length, bytes: bytesIn(entries), archive };
  return { context: await putContext(deps.db, row, deps.contextRules.hours), isNew: before === undefined };
}

/** Keeps the context if all of its files are here. */
async function complete(deps: ContextDeps, accountId: string, id: string, entries: ContextEntry[]) {
  const store = requireStore(deps);
  const missing = [...new Set(await store.missing(accountId, filesIn(entries)))];
  const row = { accountId, id, files: entries.length, bytes: bytesIn(entries) };
  const kept = missing.length === 0 ? await putContext(deps.db, row, deps.contextRules.hours) : undefined;
  return { ...row, kept, missing };
}

/**
 * Takes the list of a context.
 * @throws Fault ContextInvalid, ContextTooLarge
 */
export async function planContext(
  deps: ContextDeps,
  accountId: string,
  body: AsyncIterable<Buffer>,
): Promise<PlannedContext> {
  const { contextRules } = deps;
  const store = requireStore(deps);
  const list = await readAtMost(
    body,
    listBytesMax,
    () => new Fault('ContextTooLarge', `the list of a context has more than ${listBytesMax} bytes`),
  );
  const entries = canonicalEntries(readEntries(list.toString('utf8')));
  checkSize(entries, contextRules);
  await requireSpace(deps, accountId);
  return complete(deps, accountId, await store.putEntries(accountId, entries), entries);
}

/**
 * Takes files that a planned context waits for.
 * @throws Fault ContextNotFound, ContextInvalid
 */
export async function addContextFiles(
  deps: ContextDeps,
  accountId: string,
  id: string,
  body: AsyncIterable<Buffer>,
): Promise<PlannedContext> {
  const store = requireStore(deps);
  const entries = await store.entries(accountId, id);
  const sizes = new Map(filesIn(entries).map((it) => [it.sha256, it.size]));
  await readBlobArchive(body, store, accountId, sizes);
  return complete(deps, accountId, id, entries);
}
