import { Fault } from '@kiln/domain';
import { hmacSha256Hex, sameText, sha256Hex } from './digest.ts';
import {
  byCodeUnit,
  canonicalHeaders,
  canonicalQuery,
  clockWindowMs,
  percentDecode,
  percentEncode,
  type SignedRequest,
} from './signed-request.ts';

/** Alibaba's signature version 3. */
export const acs3Algorithm = 'ACS3-HMAC-SHA256';

export interface Acs3Authorization {
  accessKeyId: string;
  signedHeaders: string[];
  signature: string;
}

/**
 * @throws Fault IncompleteSignature when the header is not `ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…`
 */
export function parseAcs3(authorization: string): Acs3Authorization {
  const [, credential, signedHeaders, signature] =
    /^ACS3-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
      authorization,
    ) ?? [];
  if (!credential || !signedHeaders || !signature) {
    throw new Fault(
      'IncompleteSignature',
      `Authorization must be "${acs3Algorithm} Credential=…,SignedHeaders=…,Signature=…"`,
    );
  }
  return { accessKeyId: credential, signedHeaders: signedHeaders.split(';'), signature };
}

const canonicalRequest = (
  request: SignedRequest,
  path: string,
  signedHeaders: string[],
  encodeName?: (name: string) => string,
): string =>
  [
    request.method,
    path,
    canonicalQuery(request.query, encodeName ? { encodeName } : {}),
    canonicalHeaders(request.headers, signedHeaders),
    signedHeaders.join(';'),
    request.headers['x-acs-content-sha256'] ?? '',
  ].join('\n');

const signature = (canonical: string, secret: string): string =>
  hmacSha256Hex(secret, `${acs3Algorithm}\n${sha256Hex(canonical)}`);

/** The published rule: each decoded segment encoded anew. */
const publishedPath = (path: string): string =>
  path
    .split('/')
    .map((it) => percentEncode(percentDecode(it)))
    .join('/');

/** The clients sign the path as they were given it, and names of parameters as they are. */
const asClientsSign = (request: SignedRequest, { signedHeaders }: Acs3Authorization): string[] =>
  [request.path, publishedPath(request.path)].map((path) =>
    canonicalRequest(request, path, signedHeaders, (name) => name),
  );

const mandatory = ['host', 'x-acs-content-sha256', 'x-acs-date', 'x-acs-signature-nonce'];

/**
 * Checks everything about an ACS3 request but its nonce, which the caller records once the signature holds.
 * @param nowMs the server's clock
 * @returns the nonce
 * @throws Fault IncompleteSignature, SignatureExpired or SignatureDoesNotMatch
 */
export function verifyAcs3(request: SignedRequest, auth: Acs3Authorization, secret: string, nowMs: number): string {
  const { headers } = request;
  const received = Object.keys(headers).filter((name) => name.startsWith('x-acs-'));
  for (const name of new Set([...mandatory, ...received])) {
    if (headers[name] === undefined) throw new Fault('MissingParameter', `header ${name} is missing`);
    if (!auth.signedHeaders.includes(name))
      throw new Fault('IncompleteSignature', `header ${name} must be among SignedHeaders`);
  }
  const date = headers['x-acs-date'] ?? '';
  const sentMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) ? Date.parse(date) : NaN;
  if (Number.isNaN(sentMs))
    throw new Fault('IncompleteSignature', 'x-acs-date must be a UTC time such as 2021-01-12T14:36:01Z');
  if (Math.abs(nowMs - sentMs) > clockWindowMs) {
    throw new Fault(
      'SignatureExpired',
      `x-acs-date is more than 15 minutes from the server's time, ${new Date(nowMs).toISOString()}`,
    );
  }
  const published = canonicalRequest(request, publishedPath(request.path), auth.signedHeaders);
  const bodyMatches = sameText(sha256Hex(request.body), headers['x-acs-content-sha256'] ?? '');
  const matches =
    sameText(signature(published, secret), auth.signature) ||
    asClientsSign(request, auth).some((it) => sameText(signature(it, secret), auth.signature));
  if (!bodyMatches || !matches) {
    throw new Fault('SignatureDoesNotMatch', 'the request signature that was calculated does not match the one given', {
      canonicalRequest: published,
    });
  }
  return headers['x-acs-signature-nonce'] ?? '';
}

/**
 * Signs a request as Alibaba's clients do.
 * @param request with `host`, `x-acs-date` and `x-acs-signature-nonce` among its headers
 * @returns its headers with `x-acs-content-sha256` and `authorization`
 */
export function signAcs3(
  request: SignedRequest,
  accessKeyId: string,
  secret: string,
): Record<string, string | undefined> {
  const headers = { ...request.headers, 'x-acs-content-sha256': sha256Hex(request.body) };
  const names = Object.keys(headers)
    .filter((it) => it.startsWith('x-acs-') || it === 'host' || it === 'content-type')
    .sort(byCodeUnit);
  const value = signature(canonicalRequest({ ...request, headers }, publishedPath(request.path), names), secret);
  return {
    ...headers,
    authorization: `${acs3Algorithm} Credential=${accessKeyId},SignedHeaders=${names.join(';')},Signature=${value}`,
  };
}
