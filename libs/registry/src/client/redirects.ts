import { baseUrl } from './connection.ts';
import { redirectFault } from './registry-errors.ts';
import { headerOf, type Outgoing, type RegistryHttp, type RegistryStream } from './registry-http.ts';

/** A request to a registry: where below its host, and what lets it in. */
export type Send = (request: Outgoing & { path: string }, authorization: string | undefined) => Promise<RegistryStream>;

const redirects = new Set([301, 302, 303, 307, 308]);
const redirectsMax = 3;

/**
 * Sends requests to a registry, and follows redirects of what is only read: at most three, never from https to http.
 * The authorization goes to the registry itself, and nowhere else.
 */
export function followRedirects(http: RegistryHttp): Send {
  const { host } = http.access;
  const base = new URL(baseUrl(http.access));
  const isUnsafe = (url: URL): boolean => base.protocol === 'https:' && url.protocol !== 'https:';
  return async (request, authorization) => {
    // An upload goes on at an address that the registry names.
    let url = new URL(request.path, base);
    if (isUnsafe(url)) throw redirectFault(host, 'it names an address without TLS');
    for (let hop = 0; ; hop += 1) {
      // Blobs may be served from elsewhere without credentials.
      const auth = authorization && url.origin === base.origin ? { authorization } : {};
      const answer = await http.open(url, { ...request, headers: { ...request.headers, ...auth } });
      const location = headerOf(answer.headers['location']);
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (!reads || !redirects.has(answer.status) || location === undefined)
        return { ...answer, elsewhere: url.origin !== base.origin };
      http.drop(answer);
      if (hop === redirectsMax) throw redirectFault(host, `it answers with more than ${redirectsMax} redirects`);
      if (!URL.canParse(location, url.href)) throw redirectFault(host, 'it redirects to what is no address');
      url = new URL(location, url);
      if (isUnsafe(url)) throw redirectFault(host, 'it redirects from https to http');
    }
  };
}
