import { Fault, parseObjectAddress } from '@kiln/domain';
import type { AddressRules } from '@kiln/registry';
import aws4 from 'aws4';
import type { SourceAccess, SourceAccesses } from '../access.ts';
import { bytesOf, type HttpAnswer, type HttpRequest, openSourceHttp, sourceFault, sourceUrl } from '../http.ts';
import type { ObjectStore, ObjectStores } from './object-stores.ts';

/** An archive on another machine. */
export interface SourceObject {
  /**
   * The server's mark of the version that it has now.
   * @throws Fault SourceInvalid when it gives none; SourceNotFound, SourceDenied, SourceUnreachable, AddressNotAllowed
   */
  mark(signal: AbortSignal): Promise<string>;
  /**
   * What is in it.
   * @param etag the version that is wanted; whatever is there when left out
   * @throws Fault SourceChanged when it is another one by now
   */
  open(etag: string | undefined, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
  close(): Promise<void>;
}

const headerText = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** As AWS signs requests, version 4; the others' stores take it, too. */
const signed =
  ({ region }: ObjectStore, { credentials }: SourceAccess) =>
  ({ method, url }: HttpRequest): Record<string, string> => {
    if (!credentials) return {};
    const { headers = {} } = aws4.sign(
      {
        service: 's3',
        region,
        method,
        host: url.host,
        path: url.pathname + url.search,
        headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
      },
      { accessKeyId: credentials.username, secretAccessKey: credentials.password.reveal() },
    );
    // The client writes the host itself.
    return Object.fromEntries(
      Object.entries(headers)
        .filter(([name]) => name !== 'Host')
        .map(([name, value]) => [name, String(value)]),
    );
  };

/** Where an object lies: a bucket has a host of its own, or is the first part of the path. */
function placeOf({ endpoint }: ObjectStore, bucket: string, key: string): string {
  const path = key.split('/').map(encodeURIComponent).join('/');
  return endpoint.includes('{bucket}')
    ? `${endpoint.replace('{bucket}', bucket)}/${path}`
    : `${endpoint}/${bucket}/${path}`;
}

/**
 * @throws Fault SourceInvalid for an address that is none, or in a kind of store that this installation does not know
 */
export function openObject(
  address: string,
  accesses: SourceAccesses,
  rules: AddressRules,
  stores: ObjectStores,
): SourceObject {
  const parsed = parseObjectAddress(address);
  if (!parsed) throw new Fault('SourceInvalid', `${address.slice(0, 200)} is no archive by https, s3, oss or obs`);
  const store = parsed.kind === 'https' ? undefined : stores[parsed.kind];
  if (parsed.kind !== 'https' && !store)
    throw new Fault(
      'SourceInvalid',
      `this installation is connected to no store for ${parsed.kind}:// (KILN_OBJECT_STORES)`,
    );
  const text = parsed.kind === 'https' ? parsed.url : placeOf(store as ObjectStore, parsed.bucket, parsed.key);
  const { host } = new URL(text);
  // Credentials of a store are for its own host, under which each bucket may have one.
  const known = accesses(store ? new URL(store.endpoint.replace('{bucket}.', '')).host : host);
  const isPlain = store?.endpoint.startsWith('http:') === true;
  const access = { ...known, host, ...(isPlain ? { tlsMode: 'http' as const } : {}) };
  const url = sourceUrl(access, text);
  const http = openSourceHttp(access, rules, store && signed(store, access));
  const ask = (method: 'HEAD' | 'GET', headers: Record<string, string>, signal: AbortSignal): Promise<HttpAnswer> =>
    http.send({ method, url, headers: { 'accept-encoding': 'identity', ...headers }, signal });
  return {
    async mark(signal) {
      let answer = await ask('HEAD', {}, signal);
      // Links that are signed for one method only, and servers that know no HEAD.
      if (![200, 404].includes(answer.status)) {
        answer.body.destroy();
        answer = await ask('GET', { range: 'bytes=0-0' }, signal);
      }
      if (answer.status !== 200 && answer.status !== 206) throw sourceFault(answer, host, `archive ${address}`);
      answer.body.destroy();
      const etag = headerText(answer.headers['etag']);
      if (etag === undefined)
        throw new Fault('SourceInvalid', `${host} does not mark versions of the archive (ETag); say its Digest`);
      return etag;
    },
    async open(etag, signal) {
      const answer = await ask('GET', {}, signal);
      if (answer.status !== 200) throw sourceFault(answer, host, `archive ${address}`);
      const now = headerText(answer.headers['etag']);
      if (etag === undefined || now === etag) return bytesOf(answer);
      answer.body.destroy();
      throw new Fault(
        'SourceChanged',
        `${address} is another archive by now than when the build was accepted (${etag}, now ${now ?? 'unmarked'})`,
      );
    },
    close: () => http.close(),
  };
}
