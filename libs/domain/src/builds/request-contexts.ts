import type { BuildRequest, ContextRequest, ContextSource, NamedContext } from './build-request.ts';

/** A context that a builder has to fetch. */
export type ContextToFetch = ContextRequest & { source: ContextSource; id?: undefined };

export const isToFetch = (it: NamedContext | undefined): it is ContextToFetch =>
  it !== undefined && !('image' in it) && it.source !== undefined && it.id === undefined;

/** All of a request's contexts that have files; the one without a name comes first. */
function contextsOf({ context, namedContexts = {} }: BuildRequest): ContextRequest[] {
  const named = Object.values(namedContexts).flatMap((it) => ('image' in it ? [] : [it]));
  return context === undefined ? named : [context, ...named];
}

export const contextsToFetch = (request: BuildRequest): ContextToFetch[] => contextsOf(request).filter(isToFetch);

/**
 * The request with other contexts, made one after the other of those that have files.
 * @param make gets a context and its name, if it has one
 */
export async function mapContexts(
  request: BuildRequest,
  make: (context: ContextRequest, name?: string) => Promise<ContextRequest>,
): Promise<BuildRequest> {
  const { context, namedContexts } = request;
  const made: BuildRequest = { ...request };
  if (context) made.context = await make(context);
  if (!namedContexts) return made;
  const named: Record<string, NamedContext> = {};
  for (const [name, it] of Object.entries(namedContexts)) named[name] = 'image' in it ? it : await make(it, name);
  return { ...made, namedContexts: named };
}
