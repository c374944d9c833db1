import { createHash, createHmac } from 'node:crypto';
import { Fault } from '@kiln/domain';
import { sameText } from './digest.ts';
import { byCodeUnit, clockWindowMs, queryPairs, type SignedRequest } from './signed-request.ts';

/** How the legacy header begins: `acs <access key>:<signature>`. */
export const acsHmacSha1Scheme = 'acs ';

export interface AcsHmacSha1Authorization {
  accessKeyId: string;
  signature: string;
}

/** @throws Fault IncompleteSignature when the header is not `acs <access key>:<base64>` */
export function parseAcsHmacSha1(authorization: string): AcsHmacSha1Authorization {
  const [, accessKeyId, signature] = /^acs ([^\s:]+):([A-Za-z0-9+/]{27}=)$/.exec(authorization) ?? [];
  if (!accessKeyId || !signature)
    throw new Fault('IncompleteSignature', 'Authorization must be "acs <access key>:<base64 of 20 bytes>"');
  return { accessKeyId, signature };
}

/** @param emptyValue how a parameter without a value is written: clients differ */
function stringToSign({ method, path, query, headers }: SignedRequest, emptyValue: '' | '='): string {
  const canonicalHeaders = Object.keys(headers)
    .filter((it) => it.startsWith('x-acs-'))
    .sort(byCodeUnit)
    .map((it) => `${it}:${(headers[it] ?? '').replace(/[\t\n\r\f]/g, ' ').trim()}\n`)
    .join('');
  const parameters = queryPairs(query)
    .sort((a, b) => byCodeUnit(a[0], b[0]))
    .map(([name, value]) => (value === '' ? name + emptyValue : `${name}=${value}`))
    .join('&');
  const plain = ['accept', 'content-md5', 'content-type', 'date'].map((it) => headers[it] ?? '');
  return `${[method, ...plain].join('\n')}\n${canonicalHeaders}${path}${parameters ? `?${parameters}` : ''}`;
}

/**
 * Checks everything about a request signed the old way but its nonce, which the caller records once the signature
 * holds. The scheme covers a body only by its Content-MD5, which not every client sends: without one, whoever can read
 * and hold up a request can send another body with it.
 * @param nowMs the server's clock
 * @returns the nonce
 * @throws Fault IncompleteSignature, SignatureExpired or SignatureDoesNotMatch
 */
export function verifyAcsHmacSha1(
  request: SignedRequest,
  auth: AcsHmacSha1Authorization,
  secret: string,
  nowMs: number,
): string {
  const { headers, body } = request;
  const nonce = headers['x-acs-signature-nonce'];
  if (!nonce) throw new Fault('MissingParameter', 'header x-acs-signature-nonce is missing');
  const md5 = headers['content-md5'];
  const sentMs = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(sentMs)) throw new Fault('IncompleteSignature', 'Date must be an HTTP date, in GMT');
  if (Math.abs(nowMs - sentMs) > clockWindowMs)
    throw new Fault(
      'SignatureExpired',
      `Date is more than 15 minutes from the server's time, ${new Date(nowMs).toISOString()}`,
    );
  const texts = [stringToSign(request, '='), stringToSign(request, '')] as const;
  const bodyMatches = !md5 || sameText(createHash('md5').update(body).digest('base64'), md5);
  const matches = texts.some((it) => sameText(createHmac('sha1', secret).update(it).digest('base64'), auth.signature));
  if (!bodyMatches || !matches)
    throw new Fault('SignatureDoesNotMatch', 'the request signature that was calculated does not match the one given', {
      canonicalRequest: texts[0],
    });
  return nonce;
}
