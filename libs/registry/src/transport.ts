import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '@kiln/kit';
import { Fault } from '@kiln/schemas';
import { Agent, request as send } from 'undici';
import { mayAuthenticateAt, parseChallenge, tokenAnswer, type Challenge } from './challenge.ts';
import { baseUrl, type RegistryAccess } from './connection.ts';

export interface RegistryRequest {
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
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

const timeoutMs = 10_000;
const tries = 3;
const transient = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Sends requests to one registry with one set of credentials: authenticates, follows redirects, tries again. */
export class RegistryTransport {
  readonly access: RegistryAccess;
  readonly #agent: Agent;
  readonly #tokens = new Map<string, { header: string; untilMs: number }>();

  constructor(access: RegistryAccess) {
    this.access = access;
    this.#agent = new Agent({
      connect: {
        rejectUnauthorized: access.tlsMode === 'verify',
        timeout: 5000,
        ...(access.caPem ? { ca: access.caPem } : {}),
      },
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

  async #authenticated(request: RegistryRequest, scope: string): Promise<RegistryAnswer> {
    const known = this.#tokens.get(scope);
    const first = await this.#follow(request, known && known.untilMs > Date.now() ? known.header : undefined);
    if (first.status !== 401) return this.#allowed(first);
    const header = first.headers['www-authenticate'];
    const challenge = parseChallenge(Array.isArray(header) ? header[0] : header, this.access.host);
    return this.#allowed(await this.#follow(request, await this.#authorize(challenge, scope)));
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
    const answer = await this.#exchange(url, 'GET', basic ? { authorization: basic } : {}, undefined, 1 << 20);
    if (answer.status !== 200) {
      if (transient.has(answer.status)) throw new Error(`token service ${realm.host} answers ${answer.status}`);
      throw new Fault('RegistryDenied', `token service ${realm.host} of registry ${host} answers ${answer.status}`);
    }
    const { token, expiresInSeconds } = tokenAnswer.parse(JSON.parse(answer.body.toString()));
    const header = `Bearer ${token}`;
    this.#tokens.set(scope, { header, untilMs: Date.now() + (expiresInSeconds - 10) * 1000 });
    return header;
  }

  async #follow(request: RegistryRequest, authorization: string | undefined): Promise<RegistryAnswer> {
    const first = new URL(baseUrl(this.access) + request.path);
    let url = first;
    for (let hop = 0; ; hop += 1) {
      // Credentials go to the registry itself only; blobs may be served from elsewhere without them.
      const auth = authorization && url.host === first.host ? { authorization } : {};
      const answer = await this.#exchange(
        url,
        request.method,
        { ...request.headers, ...auth },
        request.body,
        request.bytesMax ?? 1 << 16,
        request.signal,
      );
      const location = answer.headers['location'];
      if (
        ![301, 302, 303, 307, 308].includes(answer.status) ||
        typeof location !== 'string' ||
        request.method === 'PUT'
      )
        return answer;
      if (hop === 3) throw new Error('more than 3 redirects');
      url = new URL(location, url);
      if (first.protocol === 'https:' && url.protocol !== 'https:') throw new Error('redirected from https to http');
    }
  }

  async #exchange(
    url: URL,
    method: RegistryRequest['method'],
    headers: Record<string, string>,
    body: Buffer | undefined,
    bytesMax: number,
    stopped?: AbortSignal,
  ): Promise<RegistryAnswer> {
    stopped?.throwIfAborted();
    const answer = await send(url, {
      method,
      headers: { 'user-agent': 'kiln', ...headers },
      body: body ?? null,
      dispatcher: this.#agent,
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs * 3), ...(stopped ? [stopped] : [])]),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body) {
      size += (chunk as Buffer).length;
      if (size > bytesMax) {
        answer.body.destroy();
        throw new Fault(
          'ManifestInvalid',
          `registry ${this.access.host} sent more than ${bytesMax} bytes for ${url.pathname}`,
        );
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
