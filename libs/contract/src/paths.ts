import type { Operation, PathParameters } from './operation.ts';

/** What an operation answers, as its schema says. */
export type Reply<O extends Pick<Operation, 'reply'>> = O['reply']['_zod']['output'];

type Input<Schema> = Schema extends { _zod: { input: infer Type } } ? Type : never;

/** In the address, everything is text; what has no value is left out. */
type Query<O extends Operation> = { [Name in keyof Input<O['query']>]?: string | number | boolean | undefined };
type Parameters<O extends Operation> = [keyof PathParameters<O['path']>] extends [never]
  ? { query?: Query<O> }
  : { path: PathParameters<O['path']>; query?: Query<O> };

/** The type of a schema is unknown where there is none. */
type RequestBody<Type> = unknown extends Type
  ? { requestBody?: never }
  : { requestBody: { content: { 'application/json': Type } } };

type Call<O extends Operation> = RequestBody<Input<NonNullable<O['body']>>> & {
  parameters: Parameters<O>;
  responses: { 200: { content: { 'application/json': Reply<O> } } };
};

/** Calls as OpenAPI describes them, by path and method, taken from the contract itself. */
export type PathsOf<Called extends Operation> = {
  [Path in Called['path']]: {
    [O in Extract<Called, { path: Path }> as Lowercase<O['method']>]: Call<O>;
  };
};
