import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, countRegistryRequest, inSpan } from '@kiln/kit';
import { Fault } from '@kiln/schemas';
import { Agent, type Dispatcher, request as send } from 'undici';
import { type AddressRules, guardedConnector } from './address-rules.ts';
import { mayAuthenticateAt, parseChallenge, tokenAnswer, type Challenge } from './challenge.ts';
import { baseUrl, type RegistryAccess } from './connection.ts';

export interface RegistryRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Path and query below the registry's host, from `/v2/` on. */
  path: string;
  headers?: Record<string, string>;
  body?: Buffer;
  /** Most bytes of answer that are read; more is a fault. */
  bytesMax?: number;
  /** Ends the request, and tries of it to come, when whoever asked may no longer. */
  signal?: AbortSignal | undefined;
}

export interface RegistryAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** An answer whose body is still to come; whoever gets it reads or destroys it. */
export interface RegistryStream {
  status: number;
  headers: RegistryAnswer['headers'];
  body: Readable;
}

const timeoutMs = 10_000;
const tries = 3;
const redirects = new Set([301, 302, 303, 307, 308]);
const transient = new Set([408, 425, 429, 500, 502, 503, 504]);

interface Outgoing {
  method: RegistryRequest['method'];
  headers?: Record<string, string>;
  body?: Buffer | Readable | null;
  signal?: AbortSignal | undefined;
  /** How long the answer's head may take, where that is not soon: a registry that stores gigabytes answers late. */
  headersTimeout?: number;
}

/** The first value of a header. */
export const headerOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

const uploadTimeoutMs = 300_000;

/** Sends requests to one registry with one set of credentials: authenticates, follows redirects, tries again. */
export class RegistryTransport {
  readonly access: RegistryAccess;
  readonly #agent: Agent;
  readonly #tokens = new Map<string, { header: string; untilMs: number }>();

  constructor(access: RegistryAccess, rules: AddressRules) {
    this.access = access;
    this.#agent = new Agent({
      connect: guardedConnector(rules, {
        rejectUnauthorized: access.tlsMode === 'verify',
        timeout: 5000,
        ...(access.caPem ? { ca: access.caPem } : {}),
      }),
      connections: 32,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  /**
   * @param scope what the request needs, e.g. `repository:ns/name:pull`
   * @throws Fault RegistryUnreachable when no answer, or only transient refusals, came in three tries; RegistryDenied when
   * the credentials do not do
   */
  async send(request: RegistryRequest, scope: string): Promise<RegistryAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#authenticated(request, scope).catch((error: unknown) => {
        if (error instanceof Fault) throw error;
        return error instanceof Error ? error : new Error(String(error));
      });
      if (!(answer instanceof Error) && !transient.has(answer.status)) return answer;
      if (attempt === tries) {
        const why = answer instanceof Error ? explain(answer) : `it answers ${answer.status}`;
        throw new Fault('RegistryUnreachable', `registry ${this.access.host} cannot be asked: ${why}`, {}, answer);
      }
      await sleep(backoffMs(attempt, 200, 2000));
    }
  }

  /**
   * Sends a request once, with a body that may be a stream, and gives the answer's body as one.
   * @throws Fault RegistryUnreachable, RegistryDenied
   */
  async stream(
    request: Omit<RegistryRequest, 'body' | 'bytesMax'> & { body?: Readable | Buffer; length?: number },
    scope: string,
  ): Promise<RegistryStream> {
    const { length, ...rest } = request;
    const headers = { ...request.headers, ...(length === undefined ? {} : { 'content-length': String(length) }) };
    try {
      // A stream cannot be sent again: what lets it in has to be there before.
      if (!this.#known(scope)) {
        await this.#authenticated({ method: 'GET', path: '/v2/' }, scope);
        if (!this.#known(scope)) this.#tokens.set(scope, { header: '', untilMs: Date.now() + 60_000 });
      }
      const ask = (as: { header: string } | undefined) =>
        this.#follow({ ...rest, headers, headersTimeout: uploadTimeoutMs }, as);
      let answer = await ask(this.#known(scope));
      // Some let anybody look, and ask who it is only here.
      if (answer.statusCode === 401 && !(request.body instanceof Readable)) {
        await answer.body.dump();
        const challenge = parseChallenge(headerOf(answer.headers['www-authenticate']), this.access.host);
        answer = await ask({ header: await this.#authorize(challenge, scope) });
      }
      const { statusCode: status, headers: answered, body } = answer;
      return { status, headers: answered, body };
    } catch (error) {
      if (error instanceof Fault) throw error;
      request.signal?.throwIfAborted();
      const why = error instanceof Error ? explain(error) : String(error);
      throw new Fault('RegistryUnreachable', `registry ${this.access.host} cannot be asked: ${why}`, {}, error);
    }
  }

  #known(scope: string): { header: string } | undefined {
    const known = this.#tokens.get(scope);
    return known && known.untilMs > Date.now() ? known : undefined;
  }

  async #authenticated(request: RegistryRequest, scope: string): Promise<RegistryAnswer> {
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs * 3), ...(request.signal ? [request.signal] : [])]);
    const ask = async (known: { header: string } | undefined) =>
      this.#read(await this.#follow({ ...request, signal }, known), request.path, request.bytesMax ?? 1 << 16);
    const first = await ask(this.#known(scope));
    if (first.status !== 401) return this.#allowed(first);
    const challenge = parseChallenge(headerOf(first.headers['www-authenticate']), this.access.host);
    return this.#allowed(await ask({ header: await this.#authorize(challenge, scope) }));
  }

  #allowed(answer: RegistryAnswer): RegistryAnswer {
    if (answer.status !== 401 && answer.status !== 403) return answer;
    const how = this.access.credentials ? `as ${this.access.credentials.username}` : 'without credentials';
    throw new Fault('RegistryDenied', `registry ${this.access.host} refuses access ${how} (status ${answer.status})`);
  }

  async #authorize(challenge: Challenge, scope: string): Promise<string> {
    const { credentials, host } = this.access;
    const basic =
      credentials &&
      `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString('base64')}`;
    if (challenge.scheme === 'basic') {
      if (!basic)
        throw new Fault('RegistryDenied', `registry ${host} needs credentials and none are configured for it`);
      this.#tokens.set(scope, { header: basic, untilMs: Date.now() + 300_000 });
      return basic;
    }
    const { realm, service } = challenge;
    if (!mayAuthenticateAt(this.access, realm)) {
      throw new Fault(
        'RegistryDenied',
        `registry ${host} sends its callers for a token to ${realm.host}, which is not of its domain or not over TLS`,
      );
    }
    const url = new URL(realm);
    if (service) url.searchParams.set('service', service);
    url.searchParams.set('scope', challenge.scope ?? scope);
    const headers = basic ? { authorization: basic } : {};
    const signal = AbortSignal.timeout(timeoutMs * 3);
    const answer = await this.#read(await this.#open(url, { method: 'GET', headers, signal }), realm.host, 1 << 20);
    if (answer.status !== 200) {
      if (transient.has(answer.status)) throw new Error(`token service ${realm.host} answers ${answer.status}`);
      throw new Fault('RegistryDenied', `token service ${realm.host} of registry ${host} answers ${answer.status}`);
    }
    const { token, expiresInSeconds } = tokenAnswer.parse(JSON.parse(answer.body.toString()));
    const header = `Bearer ${token}`;
    this.#tokens.set(scope, { header, untilMs: Date.now() + (expiresInSeconds - 10) * 1000 });
    return header;
  }

  /** Follows redirects of what is only read: at most three, never from https to http. */
  async #follow(
    request: Outgoing & { path: string },
    known: { header: string } | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const base = new URL(baseUrl(this.access));
    // An upload goes on at an address that the registry names.
    let url = new URL(request.path, base);
    if (base.protocol === 'https:' && url.protocol !== 'https:') throw this.#astray('it names an address without TLS');
    for (let hop = 0; ; hop += 1) {
      // Credentials go to the registry itself only; blobs may be served from elsewhere without them.
      const auth = known?.header && url.origin === base.origin ? { authorization: known.header } : {};
      const answer = await this.#open(url, { ...request, headers: { ...request.headers, ...auth } });
      const { location } = answer.headers;
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (!reads || !redirects.has(answer.statusCode) || typeof location !== 'string') return answer;
      await answer.body.dump();
      if (hop === 3) throw this.#astray('it answers with more than 3 redirects');
      url = new URL(location, url);
      if (base.protocol === 'https:' && url.protocol !== 'https:')
        throw this.#astray('it redirects from https to http');
    }
  }

  /** Another try would be led the same way. */
  #astray(why: string): Fault {
    return new Fault('RegistryUnreachable', `registry ${this.access.host} cannot be asked: ${why}`);
  }

  async #open(
    url: URL,
    { method, headers = {}, body = null, signal, headersTimeout }: Outgoing,
  ): Promise<Dispatcher.ResponseData> {
    signal?.throwIfAborted();
    if (url.username || url.password) throw this.#astray('it names an address with a user in it');
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
      status = answer.statusCode;
      return answer;
    } finally {
      countRegistryRequest(this.access.connected ? this.access.host : undefined, method, status);
    }
  }

  async #read(answer: Dispatcher.ResponseData, what: string, bytesMax: number): Promise<RegistryAnswer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body) {
      size += (chunk as Buffer).length;
      if (size > bytesMax) {
        answer.body.destroy();
        throw new Fault('ManifestInvalid', `registry ${this.access.host} sent more than ${bytesMax} bytes for ${what}`);
      }
      chunks.push(chunk as Buffer);
    }
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) };
  }
}

/** A network error in words; the codes are Node's and undici's. */
function explain(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = (cause as { code?: string }).code;
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'its host name does not resolve';
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'it did not answer in time';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'its certificate is not trusted; give the connection its CA';
    case undefined:
      return cause.message;
    default:
      return `${cause.message} (${code})`;
  }
}
