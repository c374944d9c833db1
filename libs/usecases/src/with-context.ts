import { buffer } from 'node:stream/consumers';
import { type ContextStore } from '@kiln/contexts';
import { dockerfileBytesMax } from '@kiln/contract';
import { below, type BuildRequest, type ContextEntry, Fault, fieldFault, requestFields } from '@kiln/domain';
import { type Database, findContext } from '@kiln/persistence';

export interface ContextsAtHand {
  db: Database;
  /** Undefined where this installation keeps no contexts. */
  contexts: ContextStore | undefined;
}

/** Whether a builder has to fetch the request's Dockerfile before anybody can read it. */
export const isToBeFetched = ({ dockerfile, context }: BuildRequest): boolean =>
  dockerfile === '' && context?.source !== undefined && context.id === undefined;

async function dockerfileIn(
  store: ContextStore,
  accountId: string,
  entries: readonly ContextEntry[],
  path: string,
): Promise<string> {
  const refuse = (why: string) => fieldFault('InvalidParameter', requestFields.contextDockerfile, why);
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
 * Looks at the context that a request names, and reads its Dockerfile where that is in there.
 * @throws Fault InvalidParameter that names the field
 */
export async function withContext(
  { db, contexts }: ContextsAtHand,
  accountId: string,
  request: BuildRequest,
): Promise<BuildRequest> {
  const { context } = request;
  if (context?.id === undefined) return request;
  const { id } = context;
  const known = contexts && (await findContext(db, accountId, { id }));
  if (!known)
    throw fieldFault('InvalidParameter', requestFields.context, 'the account has no such context; it may have expired');
  const entries = await contexts.entries(accountId, id).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    throw fieldFault('InvalidParameter', requestFields.context, error.message);
  });
  const { subPath = '' } = context;
  if (subPath !== '' && !entries.some((it) => it.path === subPath && it.type === 'folder'))
    throw fieldFault('InvalidParameter', requestFields.contextFolder, `the context has no folder ${subPath}`);
  if (request.dockerfile !== '') return request;
  const path = context.dockerfile ?? 'Dockerfile';
  return { ...request, dockerfile: await dockerfileIn(contexts, accountId, below(entries, subPath), path) };
}
