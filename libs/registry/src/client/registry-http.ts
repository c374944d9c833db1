import type { Readable } from 'node:stream';
import { countRegistryRequest, inSpan, readAtMost, timings } from '@kiln/kit';
import { Fault } from '@kiln/domain';
import { Agent, type Dispatcher, request as send } from 'undici';
import { type AddressRules, guardedConnector } from '../egress/address-rules.ts';
import type { RegistryAccess } from './connection.ts';
import { redirectFault } from './registry-errors.ts';

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

/** The first value of a header. */
export const headerOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/** Single requests to one registry and to where it redirects; every connection is checked by the address rules. */
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

  /** One request to one address. */
  async open(
    url: URL,
    { method, headers = {}, body = null, signal, headersTimeout }: Outgoing,
  ): Promise<RegistryStream> {
    signal?.throwIfAborted();
    if (url.username || url.password) throw redirectFault(this.access.host, 'it names an address with a user in it');
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
    const tooLong = () =>
      new Fault('ManifestInvalid', `registry ${this.access.host} sent more than ${bytesMax} bytes for ${what}`);
    return { status, headers, body: await readAtMost(body, bytesMax, tooLong), elsewhere };
  }
}
