import createClient, { type Middleware } from 'openapi-fetch';
import type { Paths } from './paths.ts';

/** An error as the api tells it. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | undefined;
  readonly hint: string | undefined;

  constructor(status: number, body: { Code?: string; Message?: string; RequestId?: string; Description?: string }) {
    super(body.Message ?? `the api answered ${status}`);
    this.status = status;
    this.code = body.Code ?? 'Unknown';
    this.requestId = body.RequestId;
    this.hint = body.Description;
  }
}

let csrfToken: string | undefined;
let onSignedOut: () => void = () => undefined;

/** What the session gave for whatever changes something; it is kept in this page's memory only. */
export const keepCsrfToken = (token: string | undefined): void => {
  csrfToken = token;
};
export const whenSignedOut = (listener: () => void): void => {
  onSignedOut = listener;
};

/** What goes with whatever changes something. */
export const csrfHeader = (): Record<string, string> => (csrfToken === undefined ? {} : { 'kiln-csrf': csrfToken });

const session: Middleware = {
  onRequest({ request }) {
    if (request.method !== 'GET')
      for (const [name, value] of Object.entries(csrfHeader())) request.headers.set(name, value);
  },
  async onResponse({ response }) {
    if (response.ok) return;
    const error = new ApiError(response.status, (await response.json().catch(() => ({}))) as Record<string, string>);
    if (error.code === 'InvalidBearerToken') onSignedOut();
    throw error;
  },
};

/** Calls operations of the contract with the session's cookie; `answer` gives what they answer. */
export const api = createClient<Paths>({
  headers: { accept: 'application/json' },
  querySerializer: (query) =>
    new URLSearchParams(
      Object.entries(query).flatMap(([name, value]) =>
        value === undefined || value === '' ? [] : [[name, String(value as string | number | boolean)]],
      ),
    ).toString(),
});
api.use(session);

/**
 * What a call answered.
 * @throws ApiError; TypeError when the api cannot be reached
 */
export const answer = async <T>(call: Promise<{ data?: T }>): Promise<T> => (await call).data as T;
