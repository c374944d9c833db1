import type { z } from 'zod';
import type { ErrorCode, Role } from '@kiln/domain';

/** The APIs that Kiln answers to, with the version that PAI's clients send along; `Kiln` is our own, in PAI's style. */
export const apis = {
  AIWorkSpace: { dialect: 'pai', version: '2021-02-04' },
  'pai-dlc': { dialect: 'pai', version: '2020-12-03' },
  Kiln: { dialect: 'pai', version: undefined },
  ModelArts: { dialect: 'modelarts', version: undefined },
  IAM: { dialect: 'modelarts', version: undefined },
} as const;
export type Api = keyof typeof apis;
export type DialectName = (typeof apis)[Api]['dialect'];

type Names<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
export type PathParameters<Path extends string> = Record<Names<Path>, string>;

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One call of the wire contract, as data: the server, its documents and its tests all read it from here. */
export interface Operation<
  Path extends string = string,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Reply extends z.ZodObject = z.ZodObject,
  Method extends HttpMethod = HttpMethod,
> {
  /** The operation's name in its cloud, or ours. */
  name: string;
  api: Api;
  method: Method;
  /** With its parameters in braces: `/api/v1/images/{ImageId}`. */
  path: Path;
  summary: string;
  query: Query;
  /** Absent where a body is not looked at. */
  body?: Body;
  /** Content types of a body that is read as it comes, and may be large. */
  upload?: readonly string[];
  /** The JSON object of a success. */
  reply: Reply;
  /** Statuses of a success, the usual one first. */
  statuses: readonly [number, ...number[]];
  /** What can go wrong beside what can go wrong with every call. */
  errors: readonly ErrorCode[];
  /**
   * Fields that protect somebody: one that is almost spelt like them is refused, since to ignore it, as other unknown
   * fields are, would leave off the protection without a word.
   */
  guarded?: readonly string[];
  /** The reply's field that names what was made, for the audit log. */
  makes?: string;
  /** Whoever is signed in may call it: it needs no scope, and no role. */
  free?: true;
  /** The least role that may call it, with a key or token that is not narrowed: no scope stands for it. */
  role?: Role;
  /** Only for accounts that run the installation. */
  operates?: true;
  /** Answers a stranger. */
  anonymous?: true;
  /** A success has no body: what it says stands in headers. */
  bodiless?: true;
  /** Content types of a success that is not a JSON object. */
  stream?: readonly string[];
  example: {
    params?: Record<string, string>;
    query?: Record<string, string>;
    body?: unknown;
    reply: Record<string, unknown>;
  };
}

/** Declares an operation, keeping the types of its parts. */
export const operation = <
  const Path extends string,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Reply extends z.ZodObject,
  const Method extends Operation['method'],
>(
  it: Operation<Path, Query, Body, Reply, Method>,
): Operation<Path, Query, Body, Reply, Method> => it;

const anywhere = [
  'InvalidParameter',
  'MalformedJson',
  'BodyTooLarge',
  'UnsupportedMediaType',
  'MethodNotAllowed',
  'RouteNotFound',
  'MissingParameter',
  'IncompleteSignature',
  'InvalidAccessKey',
  'AccessKeyInactive',
  'SignatureDoesNotMatch',
  'SignatureExpired',
  'InvalidSecurityToken',
  'SecurityTokenExpired',
  'InvalidToken',
  'Throttling',
  'InternalError',
  'ServiceUnavailable',
] as const satisfies readonly ErrorCode[];

/** What can go wrong with every call of a dialect. */
export const commonErrors: Record<DialectName, readonly ErrorCode[]> = {
  pai: [...anywhere, 'InvalidVersion', 'SignatureNonceUsed', 'Forbidden'],
  modelarts: [...anywhere, 'Forbidden', 'ProjectMismatch'],
};
