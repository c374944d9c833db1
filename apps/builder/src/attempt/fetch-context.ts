import { readArchive } from '@kiln/contexts';
import {
  canonicalEntries,
  checkSize,
  type ContextEntry,
  type ContextRequest,
  contextsToFetch,
  type ContextSource,
  Fault,
  isToFetch,
  mapContexts,
  type NetworkRules,
  parseGitAddress,
  resolveGitUrl,
} from '@kiln/domain';
import type { GitRoom } from '@kiln/engine';
import { settleRequest } from '@kiln/persistence';
import { openGitDoor, type GitDoor, requireGitAddress, type SourceAccesses } from '@kiln/sources';
import { keepArchive, keepEntries, requireSpace, requireStore, sourceAccesses, withContext } from '@kiln/usecases';
import type { Attempt } from './attempt.ts';
import type { FetchDeps } from './fetch-deps.ts';
import { fetchLfs } from './fetch-lfs.ts';
import { inTime } from './in-time.ts';
import { StaleAttempt } from './stale-attempt.ts';

type GitSource = Extract<ContextSource, { type: 'git' }>;

/** A context that is kept now, and what its source turned out to be. */
type Fetched = Required<Pick<ContextRequest, 'id' | 'source'>>;

/** Repositories inside repositories: how deep, and how many in all. */
const depthMax = 5;
const repositoriesMax = 50;

/** What is fetched so far, and what for. */
interface Checkout {
  attempt: Attempt;
  deps: FetchDeps;
  accesses: SourceAccesses;
  room: GitRoom;
  door: GitDoor;
  entries: ContextEntry[];
  repositories: number;
  /** What the repository's own commit says. */
  told: Pick<GitSource, 'author' | 'subject'>;
}

const under = (entries: readonly ContextEntry[], folder: string): ContextEntry[] =>
  folder === '' ? [...entries] : entries.map((it) => ({ ...it, path: `${folder}/${it.path}` }));

/** Whole characters: PostgreSQL takes no half of one. */
const cut = (text: string): string => text.slice(0, 200).toWellFormed();

/** Adds a commit's files below a folder, and those of its submodules where they are wanted. */
async function addCommit(to: Checkout, source: GitSource, commit: string, folder: string, depth: number) {
  const { attempt, deps, accesses, room, door } = to;
  to.repositories += 1;
  if (depth > depthMax || to.repositories > repositoriesMax)
    throw new Fault(
      'SourceInvalid',
      `the repository has more than ${repositoriesMax} submodules, or some more than ${depthMax} deep`,
    );
  const remote = deps.sources.git(source.url, accesses);
  const repository = await room.fetch(door.add(remote), commit);
  try {
    const { author, at, subject } = repository.commit;
    if (folder === '') to.told = { author: cut(author), subject: cut(subject) };
    const where = folder === '' ? '' : ` (submodule ${folder})`;
    await attempt.log.write(`kiln: ${source.url} at ${commit}${where}`);
    if (folder === '') await attempt.log.write(`kiln: commit of ${at} by ${cut(author)}: ${cut(subject)}`);
    const { contextRules: limits } = deps;
    let entries = await readArchive(await repository.archive(), requireStore(deps), attempt.build.accountId, limits);
    if (source.lfs) entries = await fetchLfs(deps, attempt, entries, source.url, accesses);
    // A submodule is an empty folder of its parent.
    to.entries.push(...under(entries, folder));
    checkSize(to.entries, limits);
    if (!source.submodules) return;
    for (const it of await repository.submodules()) {
      const url = resolveGitUrl(requireGitAddress(source.url), it.url);
      if (!parseGitAddress(url))
        throw new Fault(
          'SourceInvalid',
          `submodule ${it.path} is at ${it.url.slice(0, 200)}: only https and ssh are fetched`,
        );
      await addCommit(to, { ...source, url }, it.commit, folder === '' ? it.path : `${folder}/${it.path}`, depth + 1);
    }
  } finally {
    await repository.close();
  }
}

async function fetchGit(
  deps: FetchDeps,
  attempt: Attempt,
  source: GitSource,
  accesses: SourceAccesses,
  network: NetworkRules,
): Promise<Fetched> {
  const { build, name, signal } = attempt;
  await requireSpace(deps, build.accountId);
  const door = openGitDoor(signal);
  const id = `${name.toLowerCase()}-git`;
  const registry = { has: () => false, answer: door.answer };
  const room = await deps.engine.openGit({ id, owner: build.accountId, network, registry, signal });
  const to: Checkout = { attempt, deps, accesses, room, door, entries: [], repositories: 0, told: {} };
  try {
    await addCommit(to, source, source.commit ?? '', '', 0);
  } catch (error) {
    // Git knows only that its server did not do what it wanted.
    throw signal.aborted ? error : (door.fault ?? error);
  } finally {
    room.close();
    await door.close();
  }
  // What was cut short by an end of the attempt is not what the commit is.
  signal.throwIfAborted();
  const entries = canonicalEntries(withoutDoubles(to.entries));
  const { context } = await keepEntries(deps, build.accountId, entries);
  return { id: context.id, source: { ...source, ...to.told } };
}

/** A submodule's folder stands in its parent, and is what its own files lie in. */
function withoutDoubles(entries: readonly ContextEntry[]): ContextEntry[] {
  const folders = new Set<string>();
  return entries.filter((it) => {
    if (it.type !== 'folder') return true;
    const isNew = !folders.has(it.path);
    folders.add(it.path);
    return isNew;
  });
}

async function fetchObject(
  deps: FetchDeps,
  { build, signal }: Attempt,
  source: Extract<ContextSource, { type: 'object' }>,
  accesses: SourceAccesses,
): Promise<Fetched> {
  const object = deps.sources.object(source.url, accesses);
  try {
    return await inTime(signal, source.url, async (late) => {
      const body = await object.open(source.etag, late);
      const digest = source.sha256 === undefined ? undefined : `sha256:${source.sha256}`;
      const { context } = await keepArchive(deps, build.accountId, body, digest);
      return { id: context.id, source };
    });
  } finally {
    await object.close();
  }
}

/**
 * Fetches what the build's contexts come from, once: attempts to come, and builds that repeat this one, use the same
 * files.
 * @param network of the room that git is run in: the build's own
 * @throws Fault Source…, ContextTooLarge, ContextInvalid; StaleAttempt
 */
export async function fetchContext(deps: FetchDeps, attempt: Attempt, network: NetworkRules): Promise<void> {
  const { build } = attempt;
  if (contextsToFetch(build.request).length === 0) return;
  if (!deps.contexts)
    throw new Fault(
      'ServiceUnavailable',
      'this builder sees no build contexts (KILN_CONTEXT_DIR, KILN_CONTEXT_BUCKET)',
    );
  const accesses = await sourceAccesses(deps.db, deps.sealer, build.accountId);
  const fetched = await mapContexts(build.request, async (context) => {
    if (!isToFetch(context)) return context;
    const { source } = context;
    const fetched =
      source.type === 'git'
        ? await fetchGit(deps, attempt, source, accesses, network)
        : await fetchObject(deps, attempt, source, accesses);
    return { ...context, ...fetched };
  });
  const request = await withContext(deps, build.accountId, fetched);
  if (!(await settleRequest(deps.db, build, request))) throw new StaleAttempt();
  build.request = request;
}
