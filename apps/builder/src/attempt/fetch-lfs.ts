import { text } from 'node:stream/consumers';
import { type ContextEntry, Fault } from '@kiln/domain';
import type { SourceAccesses } from '@kiln/sources';
import { requireStore } from '@kiln/usecases';
import type { Attempt } from './attempt.ts';
import type { FetchDeps } from './fetch-deps.ts';
import { inTime } from './in-time.ts';

/** What stands in a repository for a file that LFS keeps apart (git-lfs, docs/spec.md); no larger than that. */
const pointerBytesMax = 1024;
const atOnce = 100;

interface Pointer {
  sha256: string;
  size: number;
}

function readPointer(content: string): Pointer | undefined {
  if (!content.startsWith('version https://git-lfs.github.com/spec/v1\n')) return undefined;
  const [, sha256] = /^oid sha256:([0-9a-f]{64})$/m.exec(content) ?? [];
  const [, size] = /^size (\d{1,15})$/m.exec(content) ?? [];
  return sha256 === undefined || size === undefined ? undefined : { sha256, size: Number(size) };
}

/**
 * Puts the files of git LFS where their pointers stand. They are called by the digest that they are kept by here.
 * @throws Fault SourceInvalid for a file that is another one than its pointer says; ContextTooLarge
 */
export async function fetchLfs(
  deps: FetchDeps,
  attempt: Attempt,
  entries: readonly ContextEntry[],
  url: string,
  accesses: SourceAccesses,
): Promise<ContextEntry[]> {
  const { sources, contextRules: limits } = deps;
  const store = requireStore(deps);
  const account = attempt.build.accountId;
  const pointers = new Map<string, Pointer>();
  for (const it of entries) {
    if (it.type !== 'file' || it.size > pointerBytesMax) continue;
    const pointer = readPointer(await text(store.read(account, it.sha256)));
    if (pointer) pointers.set(it.path, pointer);
  }
  const total = [...pointers.values()].reduce((sum, it) => sum + it.size, 0);
  if (total > limits.bytes)
    throw new Fault(
      'ContextTooLarge',
      `the files of git LFS have ${total} bytes, and a context ${limits.bytes} at most`,
    );
  const wanted = [...new Map([...pointers.values()].map((it) => [it.sha256, it])).values()];
  const missing = new Set(await store.missing(account, wanted));
  if (wanted.length === 0) return [...entries];
  const lfs = sources.lfs(url, accesses);
  const files = store.write(account);
  try {
    const toFetch = wanted.filter((it) => missing.has(it.sha256));
    await inTime(attempt.signal, `git LFS of ${url}`, async (late) => {
      for (let from = 0; from < toFetch.length; from += atOnce)
        for await (const { pointer, body } of lfs.fetch(toFetch.slice(from, from + atOnce), late)) {
          const kept = await files.put(body, pointer.size);
          if (kept.sha256 !== pointer.sha256)
            throw new Fault('SourceInvalid', `git LFS gave another file than ${pointer.sha256}`);
        }
      await files.done();
    });
  } finally {
    await lfs.close();
  }
  await attempt.log.write(`kiln: ${wanted.length} files of git LFS, ${total} bytes`);
  return entries.map((it) => {
    const pointer = pointers.get(it.path);
    return it.type === 'file' && pointer ? { ...it, ...pointer } : it;
  });
}
