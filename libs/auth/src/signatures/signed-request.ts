/** A request as the signing schemes need it: exactly as it came over the wire. */
export interface SignedRequest {
  /** Whether it came over TLS. */
  secure?: boolean;
  method: string;
  /** Path as sent, without the query. */
  path: string;
  /** Query as sent, without `?`; empty when there is none. */
  query: string;
  /** Lower-case names; repeated headers are joined with a comma. */
  headers: Record<string, string | undefined>;
  /** Body bytes as sent; empty when there is none. */
  body: Buffer;
}

/** RFC 3986: everything but letters, digits and `-_.~` is percent-encoded. */
export const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (it) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);

/** Decodes a percent-encoded path segment; one that does not decode is left as it is. */
export function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The query's parameters, decoded, in the order sent. `+` is a space, as in forms. */
export const queryPairs = (query: string): [string, string][] =>
  query
    .split('&')
    .filter(Boolean)
    .map((pair) => {
      const equals = pair.indexOf('=');
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return [percentDecode(name.replaceAll('+', ' ')), percentDecode(value.replaceAll('+', ' '))];
    });

/** Orders strings by code unit, as the clouds' clients sort them. */
export const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Parameters sorted, encoded and joined.
 * @param quirks what some clients do otherwise: leave names as they are, write something for a value that is empty
 */
export const canonicalQuery = (
  query: string,
  { encodeName = percentEncode, empty = '' }: { encodeName?: (name: string) => string; empty?: string } = {},
): string =>
  queryPairs(query)
    .map(([name, value]) => [encodeName(name), percentEncode(value === '' ? empty : value)] as const)
    .sort((a, b) => byCodeUnit(a[0], b[0]) || byCodeUnit(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');

/** Headers in the order of `names`, one `name:value` a line. */
export const canonicalHeaders = (headers: SignedRequest['headers'], names: string[]): string =>
  names.map((name) => `${name}:${(Object.hasOwn(headers, name) ? (headers[name] ?? '') : '').trim()}\n`).join('');

/** Requests are refused when their clock is further than this from the server's. */
export const clockWindowMs = 15 * 60 * 1000;
