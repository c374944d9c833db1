import type {
  attestationOperations,
  buildOperations,
  contextOperations,
  inspectionOperations,
  modelArtsImageOperations,
  paiImageOperations,
  PathsOf,
  projectOperations,
  sessionOperations,
} from '@kiln/contract';
import createClient, { type Client, type Middleware } from 'openapi-fetch';
import { CommandError, exitCodes } from './exit.ts';
import type { Profile } from './profile.ts';

type Called =
  | (typeof attestationOperations)[keyof typeof attestationOperations]
  | (typeof buildOperations)[keyof typeof buildOperations]
  | (typeof contextOperations)[keyof typeof contextOperations]
  | (typeof inspectionOperations)[keyof typeof inspectionOperations]
  | (typeof paiImageOperations)[keyof typeof paiImageOperations]
  | (typeof modelArtsImageOperations)[keyof typeof modelArtsImageOperations]
  | (typeof projectOperations)[keyof typeof projectOperations]
  | (typeof sessionOperations)[keyof typeof sessionOperations];

/** Calls operations of the contract; `answer` gives what they answer. */
export type Api = Client<PathsOf<Called>>;

/** @throws CommandError with what the api says, for an answer that is no success */
async function refuse(response: Response): Promise<never> {
  const body = (await response.json().catch(() => ({}))) as Record<string, string | undefined>;
  const message = body['Message'] ?? body['error_msg'] ?? `the api answered ${response.status}`;
  const id = body['RequestId'] ?? body['request_id'];
  const exit = response.status >= 500 || response.status === 429 ? exitCodes.infrastructure : exitCodes.usage;
  const isPolicy = response.status === 403;
  throw new CommandError(
    response.status >= 500 && id !== undefined ? `${message} (request ${id})` : message,
    isPolicy ? exitCodes.refused : exit,
    body['Description'],
  );
}

const unreachable = (url: string, error: unknown): CommandError => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new CommandError(
    `${url} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`,
    exitCodes.infrastructure,
  );
};

/** A request that is no operation with a JSON body: an upload, or a stream. */
export async function send(
  { url, token }: Profile,
  path: string,
  init: RequestInit & { duplex?: 'half' } = {},
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string> | undefined) };
  const response = await fetch(`${url}${path}`, { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw unreachable(url, error);
  });
  if (!response.ok) await refuse(response);
  return response;
}

export function openApi({ url, token }: Profile): Api {
  const api = createClient<PathsOf<Called>>({
    baseUrl: url,
    headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
  });
  const errors: Middleware = {
    async onResponse({ response }) {
      if (!response.ok) await refuse(response);
    },
    onError({ error }) {
      return error instanceof CommandError ? error : unreachable(url, error);
    },
  };
  api.use(errors);
  return api;
}

/** What a call answered. @throws CommandError */
export const answer = async <T>(call: Promise<{ data?: T }>): Promise<T> => (await call).data as T;
