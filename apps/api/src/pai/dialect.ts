import { authenticatePai, type AuthenticateDeps } from '@kiln/services';
import { errorCodes, Fault } from '@kiln/schemas';
import { type Dialect, publicMessage } from '../http/dialect.ts';

/** Versions of the two products whose calls are served here. */
const versions = ['2021-02-04', '2020-12-03'];

/** How Alibaba's ROA APIs speak. */
export const paiDialect = (deps: AuthenticateDeps): Dialect => ({
  requestIdHeader: 'x-acs-request-id',
  authenticate: async (request) => authenticatePai(deps, request),
  checkOperation(route, headers) {
    const action = headers['x-acs-action'];
    const version = headers['x-acs-version'];
    if (action !== undefined && action !== route.operation) {
      throw new Fault('RouteNotFound', `x-acs-action is ${action}, but this method and path are ${route.operation}`);
    }
    if (version !== undefined && !versions.includes(version))
      throw new Fault('InvalidVersion', `x-acs-version must be one of ${versions.join(', ')}`);
  },
  renderError(fault, requestId, host) {
    const { status, code } = { code: fault.code, ...errorCodes[fault.code].pai };
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
        ...(hint === undefined ? {} : { Recommend: hint }),
        ...(lines === undefined ? {} : { Detail: `lines ${lines[0]}-${lines[1]}` }),
      },
    };
  },
});
