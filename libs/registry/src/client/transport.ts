import { type Readable } from 'node:stream';
import { backoffMs, retry, retryAfterMs } from '@kiln/kit';
import { Fault } from '@kiln/domain';
import { type AddressRules } from '../egress/address-rules.ts';
import { Authenticator } from './authenticator.ts';
import { type RegistryAccess } from './connection.ts';
import { answered, explain, isPassing, PassingTrouble, refusalBytesMax } from './registry-errors.ts';
import { answerMs, type Outgoing, RegistryHttp, type RegistryAnswer, type RegistryStream } from './registry-http.ts';

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
/** A registry that asks to be left alone for longer than this is asked again by whoever wants it, later. */
const retryAfterMaxMs = 10_000;

/** What is no trouble of the network or the registry stays as it is. */
const isPassingTrouble = (error: unknown): boolean => !(error instanceof Fault) && explain(error) !== undefined;
const askedMs = (error: unknown): number => (error instanceof PassingTrouble ? error.retryAfterMs : 0);
const uploadTimeoutMs = 300_000;

/** Sends requests to one registry with one set of credentials: authenticates, and tries again what may pass. */
export class RegistryTransport {
  readonly access: RegistryAccess;
  readonly #http: RegistryHttp;
  readonly #auth: Authenticator;

  constructor(access: RegistryAccess, rules: AddressRules) {
    this.access = access;
    this.#http = new RegistryHttp(access, rules);
    this.#auth = new Authenticator(this.#http);
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
    return this.#tried(request.signal, async () => {
      const signal = AbortSignal.any([AbortSignal.timeout(answerMs * 3), ...(request.signal ? [request.signal] : [])]);
      const answer = await this.#authenticated({ ...request, signal }, scope);
      await this.#refusePassing(answer, request);
      return this.#http.read(answer, request.path, request.bytesMax ?? 1 << 16);
    });
  }

  /**
   * The same for something large that is read as it comes, like a layer: what is left to do is the body.
   * @throws Fault RegistryUnreachable, RegistryDenied
   */
  open(request: RegistryRequest, scope: string): Promise<RegistryStream> {
    return this.#tried(request.signal, async () => {
      const answer = await this.#authenticated(request, scope);
      await this.#refusePassing(answer, request);
      return answer;
    });
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
    return this.#tried(
      request.signal,
      async () => {
        // What lets it in has to be there before.
        if (this.#auth.known(scope) === undefined) {
          const answer = await this.#authenticated({ method: 'GET', path: '/v2/', signal: request.signal }, scope);
          this.#http.drop(answer);
          if (this.#auth.known(scope) === undefined) this.#auth.letIn(scope);
        }
        const outgoing = { ...request, headers, body, headersTimeout: uploadTimeoutMs };
        const answer = await this.#http.ask(outgoing, this.#auth.known(scope));
        await this.#refusePassing(answer, request);
        this.#requireAllowed(answer);
        return this.#http.read(answer, request.path, request.bytesMax ?? 1 << 16);
      },
      1,
    );
  }

  /** Tries again what may pass, after as long as the registry asks. */
  async #tried<T>(signal: AbortSignal | undefined, work: () => Promise<T>, most = tries): Promise<T> {
    try {
      return await retry(work, {
        tries: most,
        signal,
        isPassing: (error) => isPassingTrouble(error) && askedMs(error) <= retryAfterMaxMs,
        pauseMs: (tried, error) => Math.max(askedMs(error), backoffMs(tried, 200, 2000)),
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassingTrouble(error)) throw error;
      throw this.#unreachable(explain(error) ?? '', askedMs(error), error);
    }
  }

  #unreachable(why: string, askedMs: number, cause: unknown): Fault {
    const until = askedMs > 0 ? `; it asks to be left alone for ${Math.ceil(askedMs / 1000)} s` : '';
    const details = askedMs > 0 ? { retryAfterMs: askedMs } : {};
    const message = `registry ${this.access.host} cannot be asked: ${why}${until}`;
    return new Fault('RegistryUnreachable', message, details, cause);
  }

  /** @throws PassingTrouble */
  async #refusePassing(
    answer: RegistryStream,
    { method, path }: Pick<RegistryRequest, 'method' | 'path'>,
  ): Promise<void> {
    // A link to where blobs are kept may have run out; the registry gives another one.
    const isStaleLink = answer.elsewhere && answer.status === 403 && method === 'GET';
    // To say that it does not know a method is an answer; every registry knows GET.
    const isUnknownMethod = answer.status === 501 && method !== 'GET';
    if ((!isPassing(answer.status) || isUnknownMethod) && !isStaleLink) return;
    const asked = `${method} ${path.split('?')[0] ?? ''}`;
    const words = await this.#http.read(answer, path, refusalBytesMax).catch(() => undefined);
    throw new PassingTrouble(
      `it ${answered(answer.status, asked, words?.body)}`,
      retryAfterMs(answer.headers['retry-after']),
    );
  }

  async #authenticated(request: Outgoing & { path: string }, scope: string): Promise<RegistryStream> {
    const first = await this.#http.ask(request, this.#auth.known(scope));
    if (first.status !== 401) return this.#requireAllowed(first);
    this.#http.drop(first);
    const authorization = await this.#auth.authorize(first.headers, scope);
    return this.#requireAllowed(await this.#http.ask(request, authorization));
  }

  #requireAllowed(answer: RegistryStream): RegistryStream {
    if (answer.status !== 401 && answer.status !== 403) return answer;
    // Where it is sent on to, no credentials go: a link that has run out, or that is not for this method.
    if (answer.elsewhere) return answer;
    this.#http.drop(answer);
    const how = this.access.credentials ? `as ${this.access.credentials.username}` : 'without credentials';
    throw new Fault('RegistryDenied', `registry ${this.access.host} refuses access ${how} (status ${answer.status})`);
  }
}
