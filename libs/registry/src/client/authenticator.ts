import { retryAfterMs } from '@kiln/kit';
import { Fault } from '@kiln/domain';
import { mayAuthenticateAt, parseChallenge, parseToken } from './challenge.ts';
import { isPassing, PassingTrouble } from './registry-errors.ts';
import { answerMs, type Headers, type RegistryHttp } from './registry-http.ts';

/** Most bytes of a token service's answer. */
const answerBytesMax = 1 << 20;
/** A token is not used in its last seconds: the request takes a while. */
const lastSeconds = 10;
const basicSeconds = 300;
const anonymousSeconds = 60;

/** What lets requests in at one registry, by scope, for one set of credentials. */
export class Authenticator {
  readonly #http: RegistryHttp;
  readonly #known = new Map<string, { header: string; untilMs: number }>();

  constructor(http: RegistryHttp) {
    this.#http = http;
  }

  /** The Authorization header for a scope, '' where none is needed; undefined when that is not known. */
  known(scope: string): string | undefined {
    const known = this.#known.get(scope);
    return known && known.untilMs > Date.now() ? known.header : undefined;
  }

  /** Remembers that a scope needs no authorization. */
  letIn(scope: string): void {
    this.#keep(scope, '', anonymousSeconds);
  }

  #keep(scope: string, header: string, seconds: number): string {
    this.#known.set(scope, { header, untilMs: Date.now() + seconds * 1000 });
    return header;
  }

  /**
   * Answers a registry's 401.
   * @param headers those of the 401
   * @returns the Authorization header to ask again with
   * @throws Fault RegistryDenied; PassingTrouble when the token service cannot say just now
   */
  async authorize(headers: Headers, scope: string): Promise<string> {
    const { access } = this.#http;
    const { credentials, host } = access;
    const challenge = parseChallenge(headers['www-authenticate'], access);
    const basic =
      credentials &&
      `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString('base64')}`;
    if (challenge.scheme === 'basic') {
      if (!basic)
        throw new Fault('RegistryDenied', `registry ${host} needs credentials and none are configured for it`);
      return this.#keep(scope, basic, basicSeconds);
    }
    const { realm, service } = challenge;
    if (!mayAuthenticateAt(access, realm)) {
      throw new Fault(
        'RegistryDenied',
        `registry ${host} sends its callers for a token to ${realm.host}, which is not of its domain or not over TLS`,
      );
    }
    const url = new URL(realm);
    if (service) url.searchParams.set('service', service);
    url.searchParams.set('scope', challenge.scope ?? scope);
    const { token, expiresInSeconds } = await this.#fetchToken(url, basic);
    return this.#keep(scope, `Bearer ${token}`, expiresInSeconds - lastSeconds);
  }

  async #fetchToken(url: URL, basic: string | undefined): Promise<{ token: string; expiresInSeconds: number }> {
    const { host } = this.#http.access;
    const headers = basic ? { authorization: basic } : {};
    const signal = AbortSignal.timeout(answerMs * 3);
    const opened = await this.#http.open(url, { method: 'GET', headers, signal });
    const { status, headers: answered, body } = await this.#http.read(opened, url.host, answerBytesMax);
    if (isPassing(status))
      throw new PassingTrouble(`token service ${url.host} answers ${status}`, retryAfterMs(answered['retry-after']));
    if (status !== 200)
      throw new Fault('RegistryDenied', `token service ${url.host} of registry ${host} answers ${status}`);
    const token = parseToken(body);
    if (!token) throw new PassingTrouble(`token service ${url.host} answers without a token`);
    return token;
  }
}
