import type { Readable } from 'node:stream';
import type { AddressRules } from '../egress/address-rules.ts';
import { Authenticator } from './authenticator.ts';
import { type Ask, authorize, authorizeBefore } from './authorization.ts';
import type { RegistryAccess } from './connection.ts';
import { followRedirects } from './redirects.ts';
import { answerMs, type Outgoing, RegistryHttp, type RegistryAnswer, type RegistryStream } from './registry-http.ts';
import { refusePassing, retryPassing } from './retries.ts';

export interface RegistryRequest extends Pick<Outgoing, 'method' | 'headers'> {
  /** Path and query below the registry's host, from `/v2/` on. */
  path: string;
  body?: Buffer;
  /** Most bytes of answer that are read; more is a fault. */
  bytesMax?: number;
  /** Ends the request, and tries of it to come, when whoever asked may no longer. */
  signal?: AbortSignal | undefined;
}

const tries = 3;
const uploadTimeoutMs = 300_000;
const answerBytesMax = 1 << 16;

/** Sends requests to one registry with one set of credentials: authenticates, and tries again what may pass. */
export class RegistryTransport {
  readonly access: RegistryAccess;
  readonly #http: RegistryHttp;
  readonly #ask: Ask;
  readonly #askOnce: Ask;

  constructor(access: RegistryAccess, rules: AddressRules) {
    this.access = access;
    const http = new RegistryHttp(access, rules);
    const auth = new Authenticator(http);
    const send = followRedirects(http);
    this.#http = http;
    this.#ask = refusePassing(authorize(send, auth, http), http);
    this.#askOnce = refusePassing(authorizeBefore(send, auth, http), http);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /**
   * @param scope what the request needs, e.g. `repository:ns/name:pull`
   * @throws Fault RegistryUnreachable when no answer, or only passing refusals, came in three tries; RegistryDenied
   * when the credentials do not do
   */
  send(request: RegistryRequest, scope: string): Promise<RegistryAnswer> {
    return this.#retried(request.signal, async () => {
      const signal = AbortSignal.any([AbortSignal.timeout(answerMs * 3), ...(request.signal ? [request.signal] : [])]);
      const answer = await this.#ask({ ...request, signal }, scope);
      return this.#http.read(answer, request.path, request.bytesMax ?? answerBytesMax);
    });
  }

  /**
   * The same for something large that is read as it comes, like a layer: what is left to do is the body.
   * @throws Fault RegistryUnreachable, RegistryDenied
   */
  open(request: RegistryRequest, scope: string): Promise<RegistryStream> {
    return this.#retried(request.signal, () => this.#ask(request, scope));
  }

  /**
   * Sends a body that is a stream, which cannot be sent twice: there is one try.
   * @throws Fault RegistryUnreachable, RegistryDenied
   */
  upload(
    { body, length, ...request }: Omit<RegistryRequest, 'body'> & { body: Readable; length: number | undefined },
    scope: string,
  ): Promise<RegistryAnswer> {
    const headers = { ...request.headers, ...(length === undefined ? {} : { 'content-length': String(length) }) };
    const once = async () => {
      const outgoing = { ...request, headers, body, headersTimeout: uploadTimeoutMs };
      const answer = await this.#askOnce(outgoing, scope);
      return this.#http.read(answer, request.path, request.bytesMax ?? answerBytesMax);
    };
    return this.#retried(request.signal, once, 1);
  }

  #retried<T>(signal: AbortSignal | undefined, work: () => Promise<T>, most = tries): Promise<T> {
    return retryPassing(this.access.host, work, { signal, tries: most });
  }
}
