import type { Readable } from 'node:stream';
import { asFault, Fault } from '@kiln/domain';
import { timings } from '@kiln/kit';
import { type AddressRules, guardedConnector } from '@kiln/registry';
import { Agent, request as send } from 'undici';
import type { SourceAccess } from './access.ts';

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
  /** Where it came from in the end. */
  url: URL;
}

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST';
  url: URL;
  headers?: Record<string, string> | undefined;
  body?: Readable | string;
  signal: AbortSignal;
}

/** Requests to one host and to where that sends them on; every connection is checked by the address rules. */
export interface SourceHttp {
  /**
   * Follows redirects of what has no body, without credentials where they lead elsewhere.
   * @throws Fault SourceUnreachable, AddressNotAllowed, SourceInvalid
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

const redirectsMax = 5;
const redirects = [301, 302, 303, 307, 308];

/** Where an address of `https` leads: a host that an operator connected without TLS is spoken to without it. */
export const sourceUrl = ({ tlsMode }: SourceAccess, address: string): URL =>
  new URL(tlsMode === 'http' ? address.replace(/^https:/, 'http:') : address);

const basic = ({ credentials }: SourceAccess): Record<string, string> =>
  credentials
    ? {
        authorization: `Basic ${Buffer.from(`${credentials.username}:${credentials.password.reveal()}`).toString('base64')}`,
      }
    : {};

/** One name for each header, however somebody writes it. */
const lowerCased = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** @param authorize headers that prove who asks, for the host of `access` alone */
export function openSourceHttp(
  access: SourceAccess,
  rules: AddressRules,
  authorize: (request: HttpRequest) => Record<string, string> = () => basic(access),
): SourceHttp {
  const agent = new Agent({
    connect: guardedConnector(rules, {
      rejectUnauthorized: access.tlsMode !== 'skip-verify',
      timeout: 5000,
      ...(access.caPem ? { ca: access.caPem } : {}),
    }),
    connections: 8,
    headersTimeout: timings.registryAnswerMs * 6,
    bodyTimeout: timings.registryAnswerMs * 6,
  });
  const once = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { url, method, headers = {}, body, signal } = request;
    if (url.protocol !== 'https:' && access.tlsMode !== 'http')
      throw new Fault('SourceInvalid', `${access.host} leads to ${url.origin}, which is not https`);
    const own = url.host === access.host ? authorize(request) : {};
    const sent = lowerCased({ 'user-agent': 'git/2.0 (kiln)', ...own, ...headers });
    try {
      const answer = await send(url, {
        method,
        headers: sent,
        ...(body === undefined ? {} : { body }),
        dispatcher: agent,
        signal,
      });
      // One that breaks while nobody reads it must not end the process.
      answer.body.on('error', () => undefined);
      return { status: answer.statusCode, headers: answer.headers, body: answer.body, url };
    } catch (error) {
      signal.throwIfAborted();
      const cause = (error as Error).cause;
      for (const it of [error, cause]) if (it instanceof Fault) throw it;
      throw new Fault('SourceUnreachable', `${url.host} does not answer: ${asFault(error).message}`, {}, error);
    }
  };
  return {
    async send(request) {
      let answer = await once(request);
      for (let hops = 0; redirects.includes(answer.status) && request.body === undefined; hops += 1) {
        answer.body.destroy();
        const to = answer.headers['location'];
        if (hops === redirectsMax || typeof to !== 'string' || !URL.canParse(to, answer.url.href))
          throw new Fault('SourceInvalid', `${access.host} sends requests on without an end`);
        const url = new URL(to, answer.url);
        // What proves who asks is for the host that it was given for.
        const { authorization: _, cookie: __, ...rest } = lowerCased(request.headers ?? {});
        answer = await once({ ...request, url, headers: url.host === answer.url.host ? request.headers : rest });
      }
      return answer;
    },
    // What nobody reads to its end must not be waited for.
    close: () => agent.destroy(),
  };
}

/** An answer's bytes. That they break off is their server's fault, and not that of what they are. */
export async function* bytesOf({ body, url }: HttpAnswer): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(
      'SourceUnreachable',
      `${url.host} broke off: ${error instanceof Error ? error.message : String(error)}`,
      {},
      error,
    );
  }
}

/**
 * What a refusal means for who asked.
 * @param what was asked for
 */
export function sourceFault({ status, body }: HttpAnswer, host: string, what: string): Fault {
  body.destroy();
  if (status === 401 || status === 403)
    return new Fault('SourceDenied', `${host} does not show ${what} to the account (${status})`, {
      hint: `an operator stores credentials for it with: admin source put ACCOUNT ${host}`,
    });
  if (status === 404 || status === 410)
    return new Fault('SourceNotFound', `${host} has no ${what}, or does not show it to the account (${status})`);
  if (status >= 500 || status === 429) return new Fault('SourceUnreachable', `${host} answers ${status} for ${what}`);
  return new Fault('SourceInvalid', `${host} answers ${status} for ${what}`);
}
