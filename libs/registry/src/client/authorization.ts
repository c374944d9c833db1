import { Fault } from '@kiln/domain';
import type { Authenticator } from './authenticator.ts';
import type { Send } from './redirects.ts';
import type { Outgoing, RegistryHttp, RegistryStream } from './registry-http.ts';

/** A request to a registry, and the scope that it needs, such as `repository:ns/name:pull`. */
export type Ask = (request: Outgoing & { path: string }, scope: string) => Promise<RegistryStream>;

/** Sends requests with the authorization of their scope; after a 401 it authenticates and sends once more. */
export const authorize =
  (send: Send, auth: Authenticator, http: RegistryHttp): Ask =>
  async (request, scope) => {
    const first = await send(request, auth.known(scope));
    if (first.status !== 401) return requireAllowed(http, first);
    http.drop(first);
    const authorization = await auth.authorize(first.headers, scope);
    return requireAllowed(http, await send(request, authorization));
  };

/** The same for requests that cannot be sent twice: authenticates before, by a request of its own. */
export function authorizeBefore(send: Send, auth: Authenticator, http: RegistryHttp): Ask {
  const ask = authorize(send, auth, http);
  return async (request, scope) => {
    if (auth.known(scope) === undefined) {
      http.drop(await ask({ method: 'GET', path: '/v2/', signal: request.signal }, scope));
      if (auth.known(scope) === undefined) auth.letIn(scope);
    }
    return requireAllowed(http, await send(request, auth.known(scope)));
  };
}

function requireAllowed(http: RegistryHttp, answer: RegistryStream): RegistryStream {
  if (answer.status !== 401 && answer.status !== 403) return answer;
  // Where it is sent on to, no credentials go: a link that has run out, or that is not for this method.
  if (answer.elsewhere) return answer;
  http.drop(answer);
  const { credentials, host } = http.access;
  const how = credentials ? `as ${credentials.username}` : 'without credentials';
  throw new Fault('RegistryDenied', `registry ${host} refuses access ${how} (status ${answer.status})`);
}
