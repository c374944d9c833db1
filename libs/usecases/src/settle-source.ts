import type { Sealer } from '@kiln/auth';
import {
  asFault,
  bindingOf,
  type BuildRequest,
  contextFields,
  contextsToFetch,
  type ContextSource,
  Fault,
  fieldFault,
  isToFetch,
  mapContexts,
} from '@kiln/domain';
import { type Executor, listSourceConnections } from '@kiln/persistence';
import { credentialsOf } from './registry-access.ts';
import { publicAccess, resolveCommit, type SourceAccesses, type Sources } from '@kiln/sources';

/** Clients wait for the answer meanwhile. */
const settleMs = 20_000;

const tooLate = new Fault('SourceUnreachable', `it has not answered within ${settleMs / 1000} s`);

/** How the builds of an account reach hosts that contexts are fetched from. Opened afresh just before each use. */
export async function sourceAccesses(db: Executor, sealer: Sealer, accountId: string): Promise<SourceAccesses> {
  const connections = new Map((await listSourceConnections(db, accountId)).map((it) => [it.host, it]));
  return (host) => {
    const found = connections.get(host);
    if (!found) return publicAccess(host);
    const boundTo = bindingOf('sourceConnection', accountId, host);
    return {
      host,
      tlsMode: found.tlsMode,
      caPem: found.caPem ?? undefined,
      knownHosts: found.knownHosts ?? undefined,
      privateKey: found.keySealed === null ? undefined : sealer.open(found.keySealed, boundTo),
      credentials: credentialsOf(found, sealer, boundTo),
    };
  };
}

async function settled(
  source: ContextSource,
  sources: Sources,
  accesses: SourceAccesses,
  signal: AbortSignal,
): Promise<ContextSource> {
  if (source.type === 'git') {
    const remote = sources.git(source.url, accesses);
    try {
      return { ...source, commit: await resolveCommit(remote, source.ref, signal) };
    } finally {
      await remote.close();
    }
  }
  const object = sources.object(source.url, accesses);
  try {
    return source.sha256 === undefined ? { ...source, etag: await object.mark(signal) } : source;
  } finally {
    await object.close();
  }
}

/**
 * Settles what a request's contexts are: which commit a branch stands for, and which version of an archive is there.
 * @throws Fault that names the field
 */
export async function settleSource(
  { db, sealer, sources }: { db: Executor; sealer: Sealer; sources: Sources },
  accountId: string,
  request: BuildRequest,
): Promise<BuildRequest> {
  if (contextsToFetch(request).length === 0) return request;
  const accesses = await sourceAccesses(db, sealer, accountId);
  // Of all of them together.
  const signal = AbortSignal.timeout(settleMs);
  return mapContexts(request, async (context, name) => {
    if (!isToFetch(context)) return context;
    try {
      return { ...context, source: await settled(context.source, sources, accesses, signal) };
    } catch (error) {
      const { code, message, details } = error instanceof DOMException ? tooLate : asFault(error);
      if (code === 'InternalError') throw error;
      const isRef = code === 'SourceNotFound' && context.source.type === 'git' && /no branch/.test(message);
      const { ref, url } = contextFields(name);
      throw fieldFault(code, isRef ? ref : url, message, details);
    }
  });
}
