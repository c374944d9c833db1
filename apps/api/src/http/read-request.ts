import { type SignedRequest } from '@kiln/auth';
import { Fault } from '@kiln/schemas';
import { type Request } from 'express';

/** The largest request body, in bytes. */
export const bodyBytesMax = 1 << 20;

/** The request as it came over the wire, for its signature. */
export function signedRequest(req: Request): SignedRequest {
  const mark = req.originalUrl.indexOf('?');
  const headers = Object.fromEntries(
    Object.entries(req.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]),
  );
  return {
    method: req.method,
    path: mark < 0 ? req.originalUrl : req.originalUrl.slice(0, mark),
    query: mark < 0 ? '' : req.originalUrl.slice(mark + 1),
    headers,
    body: Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0),
  };
}

/**
 * Parses a JSON body.
 * @returns undefined when there is none
 * @throws Fault UnsupportedMediaType or MalformedJson
 */
export function parseBody(body: Buffer, contentType: string | undefined): unknown {
  if (body.length === 0) return undefined;
  if (contentType !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)) {
    throw new Fault('UnsupportedMediaType', `Content-Type must be application/json, not ${contentType}`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw new Fault('MalformedJson', `the body is not JSON: ${why}`);
  }
}
