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

/** Huawei's request signature. */
export const sdkHmacAlgorithm = 'SDK-HMAC-SHA256';

export interface SdkHmacAuthorization {
  accessKeyId: string;
  signedHeaders: string[];
  signature: string;
}

/** @throws Fault IncompleteSignature when the header is not `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…` */
export function parseSdkHmac(authorization: string): SdkHmacAuthorization {
  const [, access, signedHeaders, signature] =
    /^SDK-HMAC-SHA256\s+Access=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(authorization) ??
    [];
  if (!access || !signedHeaders || !signature) {
    throw new Fault(
      'IncompleteSignature',
      `Authorization must be "${sdkHmacAlgorithm} Access=…, SignedHeaders=…, Signature=…"`,
    );
  }
  return { accessKeyId: access, signedHeaders: signedHeaders.split(';').map((it) => it.toLowerCase()), signature };
}

// Every segment encoded, and always a slash at the end, though the request line has none.
const canonicalPath = (path: string, decode: (segment: string) => string): string => {
  const encoded = path
    .split('/')
    .map((it) => percentEncode(decode(it)))
    .join('/');
  return encoded.endsWith('/') ? encoded : `${encoded}/`;
};

interface Quirks {
  decode?: (segment: string) => string;
  /** How a parameter without a value is written. */
  empty?: string;
}

const canonicalRequest = (
  request: SignedRequest,
  signedHeaders: string[],
  { decode = percentDecode, empty = '' }: Quirks = {},
): string =>
  [
    request.method,
    canonicalPath(request.path, decode),
    canonicalQuery(request.query, { empty }),
    canonicalHeaders(request.headers, signedHeaders),
    signedHeaders.join(';'),
    request.headers['x-sdk-content-sha256'] ?? sha256Hex(request.body),
  ].join('\n');

const signature = (canonical: string, date: string, secret: string): string =>
  hmacSha256Hex(secret, `${sdkHmacAlgorithm}\n${date}\n${sha256Hex(canonical)}`);

/** `20210112T143601Z` → milliseconds since 1970, or NaN. */
const parseDate = (date: string): number => {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
};

/**
 * Checks an SDK-HMAC-SHA256 request. The scheme has no nonce: a replay within 15 minutes is possible by its design.
 * @param nowMs the server's clock
 * @throws Fault IncompleteSignature, SignatureExpired or SignatureDoesNotMatch
 */
export function verifySdkHmac(request: SignedRequest, auth: SdkHmacAuthorization, secret: string, nowMs: number): void {
  const { headers } = request;
  const date = headers['x-sdk-date'] ?? '';
  const sentMs = parseDate(date);
  if (Number.isNaN(sentMs))
    throw new Fault('IncompleteSignature', 'X-Sdk-Date must be a UTC time such as 20210112T143601Z');
  if (!auth.signedHeaders.includes('x-sdk-date'))
    throw new Fault('IncompleteSignature', 'X-Sdk-Date must be among SignedHeaders');
  if (Math.abs(nowMs - sentMs) > clockWindowMs) {
    throw new Fault(
      'SignatureExpired',
      `signature expired: X-Sdk-Date is more than 15 minutes from the server's time, ${new Date(nowMs).toISOString()}`,
    );
  }
  // UNSIGNED-PAYLOAD and the like would leave the body unprotected: only the body's own digest is taken.
  const declared = headers['x-sdk-content-sha256'];
  const bodyMatches = declared === undefined || sameText(declared, sha256Hex(request.body));
  const canonical = canonicalRequest(request, auth.signedHeaders);
  // The cloud's own client encodes a segment twice where it holds anything but letters, digits and `-_.~`, and signs
  // `null` for a parameter without a value.
  const candidates = [
    canonical,
    canonicalRequest(request, auth.signedHeaders, { decode: (it) => it }),
    canonicalRequest(request, auth.signedHeaders, { empty: 'null' }),
  ];
  const matches = candidates.some((it) => sameText(signature(it, date, secret), auth.signature));
  if (!bodyMatches || !matches) {
    throw new Fault('SignatureDoesNotMatch', 'signature verification failed', { canonicalRequest: canonical });
  }
}

/**
 * Signs a request as Huawei's clients do.
 * @param request with `host` and `x-sdk-date` among its headers
 * @returns its headers with `authorization`
 */
export function signSdkHmac(
  request: SignedRequest,
  accessKeyId: string,
  secret: string,
): Record<string, string | undefined> {
  const names = Object.keys(request.headers).sort(byCodeUnit);
  const value = signature(canonicalRequest(request, names), request.headers['x-sdk-date'] ?? '', secret);
  return {
    ...request.headers,
    authorization: `${sdkHmacAlgorithm} Access=${accessKeyId}, SignedHeaders=${names.join(';')}, Signature=${value}`,
  };
}
