import {
  acs3Algorithm,
  hashToken,
  parseAcs3,
  parseSdkHmac,
  sdkHmacAlgorithm,
  type Sealer,
  type SignedRequest,
  verifyAcs3,
  verifySdkHmac,
} from '@kiln/auth';
import { type NonceStore, type Viewer } from '@kiln/persistence';
import { Fault } from '@kiln/schemas';
import { type Directory } from './directory.ts';

export interface AuthenticateDeps {
  directory: Directory;
  sealer: Sealer;
  nonces: NonceStore;
}

/** Twice the clock window: a request's nonce must outlive the time in which it could be sent again. */
export const nonceKeepSeconds = 30 * 60;

async function byToken({ directory }: AuthenticateDeps, token: string): Promise<Viewer> {
  const viewer = await directory.token(hashToken(token));
  if (!viewer) throw new Fault('InvalidToken', 'the token is unknown, expired or revoked');
  return viewer;
}

async function ownerOf(deps: AuthenticateDeps, accessKeyId: string): Promise<{ viewer: Viewer; secret: string }> {
  const key = await deps.directory.accessKey(accessKeyId);
  if (!key) throw new Fault('InvalidAccessKey', 'the access key is unknown or revoked');
  const { secretSealed, ...viewer } = key;
  return { viewer, secret: deps.sealer.open(secretSealed, `access-key:${accessKeyId}`).reveal() };
}

async function byAcs3(deps: AuthenticateDeps, request: SignedRequest, authorization: string): Promise<Viewer> {
  const auth = parseAcs3(authorization);
  const { viewer, secret } = await ownerOf(deps, auth.accessKeyId);
  const nonce = verifyAcs3(request, auth, secret, Date.now());
  if (nonce.length > 128)
    throw new Fault('IncompleteSignature', 'x-acs-signature-nonce must have at most 128 characters');
  // Only a request that was signed well may use a nonce up.
  if (!(await deps.nonces.use(auth.accessKeyId, nonce))) {
    throw new Fault('SignatureNonceUsed', 'x-acs-signature-nonce has been used already');
  }
  return viewer;
}

const bearer = (authorization: string | undefined): string | undefined =>
  /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];

/** Tells who sent a PAI request: ACS3-HMAC-SHA256, `x-acs-bearer-token` or `Authorization: Bearer`. */
export function authenticatePai(deps: AuthenticateDeps, request: SignedRequest): Promise<Viewer> {
  const { authorization, 'x-acs-bearer-token': acsToken } = request.headers;
  const token = acsToken ?? bearer(authorization);
  if (token !== undefined) return byToken(deps, token);
  if (authorization?.startsWith(acs3Algorithm)) return byAcs3(deps, request, authorization);
  throw new Fault('IncompleteSignature', `Authorization must be ${acs3Algorithm} or a bearer token`);
}

/** Tells who sent a ModelArts request: SDK-HMAC-SHA256, `X-Auth-Token` or `Authorization: Bearer`. */
export async function authenticateModelArts(deps: AuthenticateDeps, request: SignedRequest): Promise<Viewer> {
  const { authorization, 'x-auth-token': authToken } = request.headers;
  const token = authToken ?? bearer(authorization);
  if (token !== undefined) return byToken(deps, token);
  if (!authorization?.startsWith(sdkHmacAlgorithm))
    throw new Fault('IncompleteSignature', `Authorization must be ${sdkHmacAlgorithm}, or X-Auth-Token given`);
  const auth = parseSdkHmac(authorization);
  const { viewer, secret } = await ownerOf(deps, auth.accessKeyId);
  verifySdkHmac(request, auth, secret, Date.now());
  return viewer;
}
