import { authenticatePai, type AuthenticateDeps } from '../callers/authenticate.ts';
import { apis } from '@kiln/contract';
import { Fault, wireError } from '@kiln/domain';
import { type Dialect, publicMessage, requestIdHeaders } from '../http/dialect.ts';

/** How Alibaba's ROA APIs speak. */
export const paiDialect = (deps: AuthenticateDeps): Dialect => ({
  requestIdHeader: requestIdHeaders.pai,
  async authenticate(request) {
    const viewer = await authenticatePai(deps, request);
    // PAI has no projects, and a token that is good for one only must not reach the others this way.
    if (viewer.onlyProjectId !== null)
      throw new Fault('Forbidden', `the token is for project ${viewer.onlyProjectId} only, and PAI's calls name none`);
    return viewer;
  },
  checkOperation({ name, api }, headers) {
    const action = headers['x-acs-action'];
    const version = headers['x-acs-version'];
    const expected = apis[api].version;
    if (action !== undefined && action !== name) {
      throw new Fault('RouteNotFound', `x-acs-action is ${action}, but this method and path are ${name}`);
    }
    if (version !== undefined && expected !== undefined && version !== expected)
      throw new Fault('InvalidVersion', `x-acs-version is ${version}, but ${name} is of ${api} ${expected}`);
  },
  renderError(fault, requestId, host) {
    const { status, code } = wireError(fault.code, 'pai');
    const { canonicalRequest, hint, lines, retryAfterMs } = fault.details;
    const canonical = canonicalRequest === undefined ? '' : ` server's CanonicalRequest is:${canonicalRequest}`;
    return {
      status,
      ...(retryAfterMs === undefined
        ? {}
        : {
            headers: {
              'x-acs-retry-after': String(retryAfterMs),
              'retry-after': String(Math.ceil(retryAfterMs / 1000)),
            },
          }),
      body: {
        RequestId: requestId,
        HostId: host,
        Code: code,
        Message: publicMessage(fault) + canonical,
        ...(hint === undefined ? {} : { Description: hint }),
        ...(lines === undefined ? {} : { Detail: `lines ${lines[0]}-${lines[1]}` }),
      },
    };
  },
});
