import { type ErrorCode, type Fault } from '@kiln/schemas';
import { type Viewer } from '@kiln/persistence';
import { type SignedRequest } from '@kiln/auth';
import { type Response } from 'express';

/** What a route gets: everything parsed that can be parsed without knowing the route. */
export interface Call {
  viewer: Viewer;
  requestId: string;
  params: Record<string, string>;
  /** A parameter that is given more than once is an array, which no schema takes. */
  query: Record<string, unknown>;
  /** The JSON body; undefined when there is none. */
  body: unknown;
  headers: SignedRequest['headers'];
  /** For the few answers that are not one JSON object. */
  res: Response;
}

export interface Route {
  /** Name of the operation, as the cloud's clients send it. */
  operation: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Express path. */
  path: string;
  /** @returns the JSON body; undefined when it has answered by itself */
  handle(call: Call): Promise<Answer | undefined>;
}

export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body: Record<string, unknown>;
}

/** How one cloud's API speaks: who asks, and what an error looks like. */
export interface Dialect {
  /** Header that carries the request id. */
  requestIdHeader: string;
  authenticate(request: SignedRequest): Promise<Viewer>;
  /** Further checks on what the client says that it is calling. */
  checkOperation(route: Route, headers: SignedRequest['headers']): void;
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
