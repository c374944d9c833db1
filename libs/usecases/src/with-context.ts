import { buffer } from 'node:stream/consumers';
import type { ContextStore } from '@kiln/contexts';
import { dockerfileBytesMax } from '@kiln/contract';
import {
  below,
  type BuildRequest,
  type ContextEntry,
  contextFields,
  type ContextRequest,
  Fault,
  fieldFault,
  isToFetch,
} from '@kiln/domain';
import { type Database, findContext } from '@kiln/persistence';

export interface ContextsAtHand {
  db: Database;
  /** Undefined where this installation keeps no contexts. */
  contexts: ContextStore | undefined;
}

/** Whether a builder has to fetch the request's Dockerfile before anybody can read it. */
export const isToBeFetched = ({ dockerfile, context }: BuildRequest): boolean =>
  dockerfile === '' && isToFetch(context);

async function dockerfileIn(
  store: ContextStore,
  accountId: string,
  entries: readonly ContextEntry[],
  path: string,
): Promise<string> {
  const refuse = (why: string) => fieldFault('InvalidParameter', contextFields().dockerfile, why);
  const found = entries.find((it) => it.path === path);
  if (!found) throw refuse(`the context has no ${path}`);
  if (found.type !== 'file') throw refuse(`${path} is a ${found.type} in the context, and not a file`);
  if (found.size > dockerfileBytesMax) throw refuse(`${path} has more than ${dockerfileBytesMax} bytes`);
  const bytes = await buffer(store.read(accountId, found.sha256));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse(`${path} is not UTF-8`);
  }
}

/**
 * Looks for a context that is kept.
 * @returns what a build sees of it
 * @throws Fault InvalidParameter that names the field
 */
async function entriesOf(
  { db, contexts }: ContextsAtHand,
  accountId: string,
  { id = '', subPath = '' }: ContextRequest,
  name?: string,
): Promise<ContextEntry[]> {
  const fields = contextFields(name);
  const known = contexts && (await findContext(db, accountId, { id }));
  if (!known) throw fieldFault('InvalidParameter', fields.id, 'the account has no such context; it may have expired');
  const entries = await contexts.entries(accountId, id).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    throw fieldFault('InvalidParameter', fields.id, error.message);
  });
  if (subPath !== '' && !entries.some((it) => it.path === subPath && it.type === 'folder'))
    throw fieldFault('InvalidParameter', fields.folder, `the context has no folder ${subPath}`);
  return below(entries, subPath);
}

/**
 * Looks at the contexts that a request names and that are kept, and reads its Dockerfile where that is in one.
 * @throws Fault InvalidParameter that names the field
 */
export async function withContext(
  deps: ContextsAtHand,
  accountId: string,
  request: BuildRequest,
): Promise<BuildRequest> {
  const { context, namedContexts = {} } = request;
  for (const [name, it] of Object.entries(namedContexts))
    if (!('image' in it) && it.id !== undefined) await entriesOf(deps, accountId, it, name);
  if (context?.id === undefined) return request;
  const entries = await entriesOf(deps, accountId, context);
  if (request.dockerfile !== '' || !deps.contexts) return request;
  const path = context.dockerfile ?? 'Dockerfile';
  return { ...request, dockerfile: await dockerfileIn(deps.contexts, accountId, entries, path) };
}
