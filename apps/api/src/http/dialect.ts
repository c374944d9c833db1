import type { Caller } from '../callers/caller.ts';
import type { DialectName, Operation, PathParameters } from '@kiln/contract';
import type { ErrorCode, Fault } from '@kiln/domain';
import type { SignedRequest } from '@kiln/auth';
import type { Response } from 'express';
import type { z } from 'zod';

/** What a route gets: everything parsed as its operation says. */
export interface Call<O extends Operation = Operation> {
  viewer: Caller;
  requestId: string;
  params: PathParameters<O['path']>;
  query: z.output<O['query']>;
  body: z.output<NonNullable<O['body']>>;
  headers: SignedRequest['headers'];
  /** For the few answers that are not one JSON object. */
  res: Response;
}

/** @returns the JSON answer; undefined when it has answered by itself */
type Handle<O extends Operation> = (call: Call<O>) => Promise<Answer<O> | undefined>;

export interface Route {
  operation: Operation;
  handle: Handle<Operation>;
}

/** Serves an operation: the door parses with its schemas before it calls. */
export const route = <O extends Operation>(operation: O, handle: Handle<O>): Route => ({ operation, handle });

export interface Answer<O extends Operation = Operation> {
  /** One of the operation's; its first when left out. */
  status?: number;
  headers?: Record<string, string>;
  body: z.input<O['reply']>;
  /** Who a stranger turned out to be. */
  caller?: Caller;
}

/** Where each dialect's clients read the request id. */
export const requestIdHeaders = { pai: 'x-acs-request-id', modelarts: 'x-request-id' } as const;

/** Paths under `/v1` and `/v3` speak ModelArts, all others PAI. */
export const dialectOf = (path: string): DialectName => (/^\/v[13](?:\/|$)/.test(path) ? 'modelarts' : 'pai');

/** How one cloud's API speaks: who asks, and what an error looks like. */
export interface Dialect {
  /** Header that carries the request id. */
  requestIdHeader: string;
  authenticate(request: SignedRequest): Promise<Caller>;
  /** Further checks on what the client says that it is calling. */
  checkOperation(operation: Operation, headers: SignedRequest['headers']): void;
  renderError(
    fault: Fault,
    requestId: string,
    host: string,
  ): { status: number; headers?: Record<string, string>; body: Record<string, unknown> };
}

/** What a stranger may read of a fault: the server's own troubles are not among it. */
export const publicMessage = (fault: Fault): string =>
  (['InternalError', 'ServiceUnavailable'] as ErrorCode[]).includes(fault.code)
    ? {
        InternalError: 'an internal error occurred; give the request id to the operator',
        ServiceUnavailable: 'the service cannot answer now; try again',
      }[fault.code as 'InternalError' | 'ServiceUnavailable']
    : fault.message;
