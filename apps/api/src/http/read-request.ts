import type { SignedRequest } from '@kiln/auth';
import { Fault, fieldFault } from '@kiln/domain';
import { type Operation, parseInput, refuseNearMisses, withoutNulls } from '@kiln/contract';
import type { Request } from 'express';

/** The largest request body, in bytes. */
export const bodyBytesMax = 1 << 20;

// Of these, Node keeps the first and hides the others: what is signed would not be what is read.
const onlyOnce = new Set([
  'authorization',
  'content-md5',
  'content-type',
  'date',
  'host',
  'x-acs-action',
  'x-acs-bearer-token',
  'x-acs-content-sha256',
  'x-acs-date',
  'x-acs-security-token',
  'x-acs-signature-nonce',
  'x-acs-version',
  'x-auth-token',
  'x-project-id',
  'x-sdk-date',
  'x-security-token',
]);

/**
 * The request as it came over the wire, for its signature.
 * @throws Fault InvalidParameter when a header that tells who asks, or what, comes more than once
 */
export function signedRequest(req: Request): SignedRequest {
  const values = new Map<string, string[]>();
  for (let n = 0; n < req.rawHeaders.length; n += 2) {
    const name = req.rawHeaders[n]?.toLowerCase() ?? '';
    const known = values.get(name);
    if (known && onlyOnce.has(name))
      throw new Fault('InvalidParameter', `header ${name} is given more than once`, { field: name });
    values.set(name, [...(known ?? []), req.rawHeaders[n + 1] ?? '']);
  }
  // The other forms name a host, which routing takes away and a look at the path would not.
  if (!req.originalUrl.startsWith('/'))
    throw new Fault('InvalidParameter', 'the request target must be a path, without scheme and host');
  const mark = req.originalUrl.indexOf('?');
  // As both clouds sign headers that repeat.
  const headers = Object.fromEntries([...values].map(([name, all]) => [name, all.sort().join(',')]));
  return {
    secure: req.secure,
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
function parseJson(body: Buffer, contentType: string | undefined): unknown {
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

/** @throws Fault UnsupportedMediaType for a body of another kind than may come; curl's own kind may stand for any */
export function checkUploadType(types: readonly string[], given: string | undefined): void {
  const type = /^[^;\s]+/.exec(given ?? '')?.[0]?.toLowerCase();
  const any = ['application/octet-stream', 'application/x-www-form-urlencoded', 'application/x-gzip'];
  if (type !== undefined && ![...types, ...any].includes(type))
    throw new Fault('UnsupportedMediaType', `Content-Type must be one of ${types.join(', ')}, not ${type}`);
}

/**
 * Parses the parts of a request as its operation says. What the operation does not name is ignored.
 * @param query a parameter that is given more than once is an array
 * @throws Fault that names the field
 */
export function parseCall(
  operation: Operation,
  {
    params,
    query,
    body,
    contentType,
  }: {
    params: Record<string, string>;
    query: Record<string, unknown>;
    body: Buffer;
    contentType: string | undefined;
  },
): { params: Record<string, string>; query: Record<string, unknown>; body: unknown } {
  // No id holds one, and PostgreSQL cannot even be asked.
  for (const [name, value] of Object.entries(params)) {
    if (value.includes('\0')) throw fieldFault('InvalidParameter', name, 'must not contain NUL');
  }
  for (const name of Object.keys(operation.query.shape)) {
    if (Array.isArray(query[name])) throw fieldFault('InvalidParameter', name, 'is given more than once');
  }
  const guarded = operation.guarded ?? [];
  refuseNearMisses(query, guarded);
  // Clients write a parameter that they have no value for without one.
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));
  const parsedQuery = parseInput(operation.query, given, 'query');
  if (!operation.body) return { params, query: parsedQuery, body: undefined };
  const json = withoutNulls(parseJson(body, contentType));
  refuseNearMisses(json, guarded);
  return { params, query: parsedQuery, body: parseInput(operation.body, json, 'body') };
}
