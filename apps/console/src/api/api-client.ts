import type { Operation } from '@kiln/contract';

/** What an operation answers, as its schema says. */
export type Reply<O extends Pick<Operation, 'reply'>> = O['reply']['_zod']['output'];

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

export type Query = Record<string, string | number | boolean | undefined>;

const pathWith = (path: string, query: Query = {}): string => {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
};

/**
 * Calls an operation with the session's cookie.
 * @throws ApiError; TypeError when the api cannot be reached
 */
export async function ask<O extends Pick<Operation, 'reply'>>(
  method: Operation['method'],
  path: string,
  { query, body, signal }: { query?: Query; body?: unknown; signal?: AbortSignal } = {},
): Promise<Reply<O>> {
  const answer = await fetch(pathWith(path, query), {
    method,
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'GET' || csrfToken === undefined ? {} : { 'kiln-csrf': csrfToken }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  if (answer.ok) return answer.json() as Promise<Reply<O>>;
  const error = new ApiError(answer.status, (await answer.json().catch(() => ({}))) as Record<string, string>);
  if (error.code === 'InvalidBearerToken') onSignedOut();
  throw error;
}
