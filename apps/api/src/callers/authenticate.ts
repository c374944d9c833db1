import {
  acs3Algorithm,
  acsHmacSha1Scheme,
  hashToken,
  parseAcs3,
  parseAcsHmacSha1,
  parseSdkHmac,
  sameText,
  sdkHmacAlgorithm,
  type Sealer,
  type SignedRequest,
  verifyAcs3,
  verifyAcsHmacSha1,
  verifySdkHmac,
} from '@kiln/auth';
import type { FoundToken, NonceStore } from '@kiln/persistence';
import { bindingOf, Fault } from '@kiln/domain';
import { csrfTokenOf, sessionIn } from './browser-session.ts';
import type { Caller } from './caller.ts';
import type { Directory } from '@kiln/usecases';

export interface AuthenticateDeps {
  directory: Directory;
  sealer: Sealer;
  nonces: NonceStore;
  /** Whether requests signed with HMAC-SHA1, the old way, are taken. */
  legacySignatures: boolean;
}

/** Twice the clock window: a request's nonce must outlive the time in which it could be sent again. */
export const nonceKeepSeconds = 30 * 60;

async function byToken({ directory }: AuthenticateDeps, token: string): Promise<Caller> {
  const viewer = await directory.token(hashToken(token));
  if (!viewer || viewer.sessionOf !== null) throw new Fault('InvalidToken', 'the token is unknown, expired or revoked');
  return callerOf(viewer);
}

const callerOf = ({ id, scopes, accountId, userId, role, operates, onlyProjectId }: FoundToken): Caller => ({
  accountId,
  userId,
  role,
  operates,
  onlyProjectId,
  credential: { kind: 'token', id, scopes },
});

/**
 * A browser sends its cookie whoever made it ask: what changes something has to show that it comes from one of our
 * pages.
 */
async function bySession({ directory }: AuthenticateDeps, session: string, request: SignedRequest): Promise<Caller> {
  const found = await directory.token(hashToken(session));
  if (!found?.sessionOf) throw new Fault('InvalidToken', 'the session has ended; sign in again');
  const csrfToken = csrfTokenOf(session);
  const isSafe = request.method === 'GET' || request.method === 'HEAD';
  if (!isSafe && !sameText(request.headers['kiln-csrf'] ?? '', csrfToken))
    throw new Fault('Forbidden', 'header kiln-csrf must be the CsrfToken of the session');
  return { ...callerOf(found), csrfToken };
}

// What an unknown key's request is checked with, so that it takes as long as a known one's.
const nobodysSecret = 'no key has this secret';

/**
 * Checks a signature with the secret of the key that it names, and that the security token of a temporary key came with
 * it. An unknown key costs the same work, and nothing of the request is then told apart.
 */
async function bySignature<T>(
  deps: AuthenticateDeps,
  accessKeyId: string,
  securityToken: string | undefined,
  verify: (secret: string) => T,
): Promise<{ viewer: Caller; verified: T }> {
  const key = await deps.directory.accessKey(accessKeyId);
  if (!key) {
    try {
      verify(nobodysSecret);
    } catch {
      // Whatever it was: a stranger learns no more than that the key is not known.
    }
    throw new Fault('InvalidAccessKey', 'the access key is unknown');
  }
  const { secretSealed, securityTokenHash, expiresAt, revokedAt, scopes, ...viewer } = key;
  const verified = verify(deps.sealer.open(secretSealed, bindingOf('accessKey', accessKeyId)).reveal());
  const tokenFits =
    securityTokenHash === null
      ? securityToken === undefined
      : sameText(hashToken(securityToken ?? ''), securityTokenHash);
  if (!tokenFits)
    throw new Fault(
      'InvalidSecurityToken',
      securityTokenHash === null
        ? 'the access key is not a temporary one: no security token belongs to it'
        : 'the security token is missing or does not belong to the access key',
    );
  // Only its owner, who can sign with it, learns what became of a key.
  if (revokedAt) throw new Fault('AccessKeyInactive', 'the access key was revoked');
  if (expiresAt && expiresAt.getTime() <= Date.now() && securityTokenHash === null)
    throw new Fault('AccessKeyInactive', `the access key expired at ${expiresAt.toISOString()}`);
  if (expiresAt && expiresAt.getTime() <= Date.now())
    throw new Fault(
      'SecurityTokenExpired',
      `the access key and its security token expired at ${expiresAt.toISOString()}`,
    );
  const credential = { kind: 'key', id: accessKeyId, scopes } as const;
  return { viewer: { ...viewer, onlyProjectId: null, credential }, verified };
}

async function useNonce({ nonces }: AuthenticateDeps, accessKeyId: string, nonce: string): Promise<void> {
  if (nonce.length > 128)
    throw new Fault('IncompleteSignature', 'x-acs-signature-nonce must have at most 128 characters');
  // Only a request that was signed well may use a nonce up.
  if (!(await nonces.use(accessKeyId, nonce)))
    throw new Fault('SignatureNonceUsed', 'x-acs-signature-nonce has been used already');
}

async function byAcs(deps: AuthenticateDeps, request: SignedRequest, authorization: string): Promise<Caller> {
  const { 'x-acs-security-token': securityToken, 'x-acs-accesskey-id': named } = request.headers;
  const legacy = authorization.startsWith(acsHmacSha1Scheme) ? parseAcsHmacSha1(authorization) : undefined;
  const acs3 = legacy ? undefined : parseAcs3(authorization);
  const accessKeyId = legacy?.accessKeyId ?? acs3?.accessKeyId ?? '';
  if (named !== undefined && named !== accessKeyId)
    throw new Fault('IncompleteSignature', 'x-acs-accesskey-id names another key than Authorization');
  const { viewer, verified } = await bySignature(deps, accessKeyId, securityToken, (secret) =>
    legacy
      ? verifyAcsHmacSha1(request, legacy, secret, Date.now())
      : acs3
        ? verifyAcs3(request, acs3, secret, Date.now())
        : '',
  );
  await useNonce(deps, accessKeyId, verified);
  return viewer;
}

const bearer = (authorization: string | undefined): string | undefined =>
  /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];

/**
 * Tells who sent a PAI request: ACS3-HMAC-SHA256, `x-acs-bearer-token` or `Authorization: Bearer`, where the operator
 * allows it the old HMAC-SHA1, and, without any of them, the cookie of a browser's session.
 */
export function authenticatePai(deps: AuthenticateDeps, request: SignedRequest): Promise<Caller> {
  const { authorization, 'x-acs-bearer-token': acsToken } = request.headers;
  const token = acsToken ?? bearer(authorization);
  if (token !== undefined) return byToken(deps, token);
  const session = authorization === undefined ? sessionIn(request) : undefined;
  if (session !== undefined) return bySession(deps, session, request);
  if (authorization?.startsWith(acsHmacSha1Scheme) && !deps.legacySignatures)
    throw new Fault(
      'IncompleteSignature',
      `HMAC-SHA1 signatures are off here (KILN_LEGACY_SIGNATURES); sign with ${acs3Algorithm}`,
    );
  if (authorization?.startsWith(acs3Algorithm) || authorization?.startsWith(acsHmacSha1Scheme))
    return byAcs(deps, request, authorization);
  if (authorization === undefined)
    throw new Fault(
      'MissingParameter',
      `header Authorization is missing; ${acs3Algorithm} or a bearer token is needed`,
    );
  throw new Fault('IncompleteSignature', `Authorization must be ${acs3Algorithm} or a bearer token`);
}

/** Tells who sent a ModelArts request: SDK-HMAC-SHA256, `X-Auth-Token` or `Authorization: Bearer`. */
export async function authenticateModelArts(deps: AuthenticateDeps, request: SignedRequest): Promise<Caller> {
  const { authorization, 'x-auth-token': authToken, 'x-security-token': securityToken } = request.headers;
  const token = authToken ?? bearer(authorization);
  if (token !== undefined) return byToken(deps, token);
  if (authorization === undefined)
    throw new Fault('MissingParameter', `header Authorization or X-Auth-Token is missing`);
  if (!authorization.startsWith(sdkHmacAlgorithm))
    throw new Fault('IncompleteSignature', `Authorization must be ${sdkHmacAlgorithm}, or X-Auth-Token given`);
  const auth = parseSdkHmac(authorization);
  const { viewer } = await bySignature(deps, auth.accessKeyId, securityToken, (secret) => {
    verifySdkHmac(request, auth, secret, Date.now());
  });
  return viewer;
}
