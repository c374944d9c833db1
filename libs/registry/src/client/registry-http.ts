import { type Readable } from 'node:stream';
import { countRegistryRequest, inSpan, timings } from '@kiln/kit';
import { Fault } from '@kiln/domain';
import { Agent, type Dispatcher, request as send } from 'undici';
import { type AddressRules, guardedConnector } from '../egress/address-rules.ts';
import { baseUrl, type RegistryAccess } from './connection.ts';

export type Headers = Record<string, string | string[] | undefined>;

export interface Outgoing {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  headers?: Record<string, string>;
  body?: Buffer | Readable | null;
  signal?: AbortSignal | undefined;
  /** How long the answer's head may take, where that is not soon: a registry that stores gigabytes answers late. */
  headersTimeout?: number;
}

interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
  /** It comes from where the registry sent the request on to, and not from the registry. */
  elsewhere: boolean;
}
export type RegistryAnswer = Answer<Buffer>;
/** An answer whose body is still to come; whoever gets it reads, drops or destroys it. */
export type RegistryStream = Answer<Dispatcher.ResponseData['body']>;

/** How long an answer may take to begin, and how long nothing may come of one that has begun. */
export const answerMs = timings.registryAnswerMs;
const droppedBytesMax = 16_384;
const redirects = new Set([301, 302, 303, 307, 308]);
const redirectsMax = 3;

/** The first value of a header. */
export const headerOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/** Requests to one registry and to where it sends them on; every connection is checked by the address rules. */
export class RegistryHttp {
  readonly access: RegistryAccess;
  readonly #agent: Agent;

  constructor(access: RegistryAccess, rules: AddressRules) {
    this.access = access;
    this.#agent = new Agent({
      connect: guardedConnector(rules, {
        rejectUnauthorized: access.tlsMode === 'verify',
        timeout: 5000,
        ...(access.caPem ? { ca: access.caPem } : {}),
      }),
      connections: 32,
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    });
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  /**
   * Asks the registry, and follows redirects of what is only read: at most three, never from https to http.
   * @param authorization sent to the registry itself, and nowhere else
   */
  async ask(request: Outgoing & { path: string }, authorization: string | undefined): Promise<RegistryStream> {
    const base = new URL(baseUrl(this.access));
    // An upload goes on at an address that the registry names.
    let url = new URL(request.path, base);
    if (base.protocol === 'https:' && url.protocol !== 'https:')
      throw this.#redirectFault('it names an address without TLS');
    for (let hop = 0; ; hop += 1) {
      // Credentials go to the registry itself only; blobs may be served from elsewhere without them.
      const auth = authorization && url.origin === base.origin ? { authorization } : {};
      const answer = await this.open(url, { ...request, headers: { ...request.headers, ...auth } });
      const location = headerOf(answer.headers['location']);
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (!reads || !redirects.has(answer.status) || location === undefined)
        return { ...answer, elsewhere: url.origin !== base.origin };
      this.drop(answer);
      if (hop === redirectsMax) throw this.#redirectFault(`it answers with more than ${redirectsMax} redirects`);
      if (!URL.canParse(location, url.href)) throw this.#redirectFault('it redirects to what is no address');
      url = new URL(location, url);
      if (base.protocol === 'https:' && url.protocol !== 'https:')
        throw this.#redirectFault('it redirects from https to http');
    }
  }

  /** Another try would be led the same way. */
  #redirectFault(why: string): Fault {
    return new Fault('RegistryUnreachable', `registry ${this.access.host} cannot be asked: ${why}`);
  }

  /** One request to one address. */
  async open(
    url: URL,
    { method, headers = {}, body = null, signal, headersTimeout }: Outgoing,
  ): Promise<RegistryStream> {
    signal?.throwIfAborted();
    if (url.username || url.password) throw this.#redirectFault('it names an address with a user in it');
    let status: number | undefined;
    try {
      const answer = await inSpan(
        `registry ${method}`,
        {
          'http.request.method': method,
          'server.address': url.hostname,
          ...(url.port ? { 'server.port': Number(url.port) } : {}),
        },
        () =>
          send(url, {
            method,
            headers: { 'user-agent': 'kiln', ...headers },
            body,
            dispatcher: this.#agent,
            ...(signal ? { signal } : {}),
            ...(headersTimeout === undefined ? {} : { headersTimeout }),
          }),
        { kind: 'client', after: (it) => ({ 'http.response.status_code': it.statusCode }) },
      );
      // A body that breaks, or is given up, while nobody reads it must not end the process; who reads it learns of it
      // all the same.
      answer.body.on('error', () => undefined);
      status = answer.statusCode;
      return { status, headers: answer.headers, body: answer.body, elsewhere: false };
    } finally {
      countRegistryRequest(this.access.connected ? this.access.host : undefined, method, status);
    }
  }

  /** Lets go of an answer that nobody needs; its connection is used again when little is left of it. */
  drop({ body }: RegistryStream): void {
    void body.dump({ limit: droppedBytesMax }).catch(() => undefined);
  }

  /**
   * Reads an answer whole.
   * @param what what was asked for, for the error
   * @throws Fault ManifestInvalid when it has more than `bytesMax` bytes
   */
  async read(
    { status, headers, body, elsewhere }: RegistryStream,
    what: string,
    bytesMax: number,
  ): Promise<RegistryAnswer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += (chunk as Buffer).length;
      if (size > bytesMax)
        throw new Fault('ManifestInvalid', `registry ${this.access.host} sent more than ${bytesMax} bytes for ${what}`);
      chunks.push(chunk as Buffer);
    }
    return { status, headers, body: Buffer.concat(chunks), elsewhere };
  }
}
