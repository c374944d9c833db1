import { apis, commonErrors, type DialectName, type Operation, operations } from '@kiln/contract';
import { type ErrorCode, wireError } from '@kiln/domain';
import { z } from 'zod';
import { requestIdHeaders } from '../http/dialect.ts';
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi';

const errorShapes = {
  pai: z
    .object({
      RequestId: z.string(),
      HostId: z.string(),
      Code: z.string(),
      Message: z.string(),
      Description: z.string().optional().describe('what to do about it'),
      Detail: z.string().optional(),
    })
    .meta({ id: 'PaiError' }),
  modelarts: z
    .object({ error_code: z.string(), error_msg: z.string(), request_id: z.string() })
    .meta({ id: 'ModelArtsError' }),
} as const;

const exampleOf = (dialect: DialectName, code: ErrorCode) =>
  dialect === 'pai'
    ? {
        RequestId: '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11',
        HostId: 'kiln.example.com',
        Code: wireError(code, 'pai').code,
        Message: 'says what is wrong, and names the field',
      }
    : {
        error_code: wireError(code, 'modelarts').code,
        error_msg: 'says what is wrong, and names the field',
        request_id: '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11',
      };

/** Every error of an operation, by status, each with an example. */
function errorResponses(operation: Operation): ZodOpenApiOperationObject['responses'] {
  const { dialect } = apis[operation.api];
  const codes = [...new Set<ErrorCode>([...operation.errors, ...commonErrors[dialect]])];
  const statuses = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = wireError(code, dialect);
    statuses.set(status, [...(statuses.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...statuses].map(([status, all]) => [
      String(status),
      {
        description: all.join(', '),
        content: {
          'application/json': {
            schema: errorShapes[dialect],
            examples: Object.fromEntries(all.map((code) => [code, { value: exampleOf(dialect, code) }])),
          },
        },
      },
    ]),
  );
}

const contentOf = ({ stream, reply, example }: Operation) =>
  stream
    ? Object.fromEntries(
        stream.map((type) => [
          type,
          type.includes('json') ? { schema: reply, example: example.reply } : { schema: z.string() },
        ]),
      )
    : { 'application/json': { schema: reply, example: example.reply } };

function describe(operation: Operation): ZodOpenApiOperationObject {
  const { api, query, body, example, anonymous } = operation;
  const { dialect } = apis[api];
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((it) => it[1] ?? '');
  const success = {
    description: operation.stream ? 'the log' : 'done',
    headers: { [requestIdHeaders[dialect]]: { schema: { type: 'string' as const }, required: true } },
    ...(operation.bodiless ? {} : { content: contentOf(operation) }),
  };
  return {
    operationId: operation.name,
    summary: operation.summary,
    tags: [api],
    ...(anonymous ? { security: [] } : {}),
    requestParams: {
      ...(names.length > 0
        ? {
            path: z.object(
              Object.fromEntries(
                names.map((it) => [it, z.string().meta({ param: { example: example.params?.[it] ?? it } })]),
              ),
            ),
          }
        : {}),
      ...(Object.keys(query.shape).length > 0 ? { query } : {}),
    },
    ...(body
      ? {
          requestBody: {
            required: !body.safeParse(undefined).success,
            content: { 'application/json': { schema: body, example: example.body } },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(operation.statuses.map((it) => [String(it), success])),
      ...errorResponses(operation),
    },
  };
}

const healthy = (summary: string, name: string, ready: z.ZodType): Record<string, ZodOpenApiOperationObject> => ({
  get: {
    operationId: name,
    summary,
    tags: ['Kiln'],
    security: [],
    responses: { '200': { description: 'yes', content: { 'application/json': { schema: ready } } } },
  },
});

const healthPaths = {
  '/healthz': healthy('Whether the process answers', 'Health', z.object({ status: z.string() })),
  '/readyz': healthy(
    'Whether the API can accept work, with what waits; 503 without PostgreSQL',
    'Readiness',
    z.object({
      status: z.string(),
      postgres: z.string(),
      redis: z.string().optional(),
      outbox: z.int().optional(),
      builds: z.record(z.string(), z.int()).optional(),
      queues: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
};

/** The whole contract as OpenAPI 3.1, from the schemas that the server parses with. */
export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = { ...healthPaths };
  for (const it of operations) (paths[it.path] ??= {})[it.method.toLowerCase()] = describe(it);
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Kiln',
        version: '0.1.0',
        description:
          'Builds container images from Dockerfiles, publishes them to any OCI registry, and keeps a catalogue of those it has verified. Two dialects over one catalogue: Alibaba PAI (AIWorkSpace 2021-02-04, pai-dlc 2020-12-03) and Huawei ModelArts v1.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      tags: Object.keys(apis).map((name) => ({ name })),
      security: [{ bearer: [] }, { token: [] }, { acs3: [] }, { sdkHmac: [] }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'A token, in either dialect' },
          token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token', description: 'A token; ModelArts only' },
          acs3: {
            type: 'apiKey',
            in: 'header',
            name: 'Authorization',
            description: 'ACS3-HMAC-SHA256 signature, as Alibaba’s clients make it; PAI only',
          },
          sdkHmac: {
            type: 'apiKey',
            in: 'header',
            name: 'authorization',
            description: 'SDK-HMAC-SHA256 signature, as Huawei’s clients make it; ModelArts only',
          },
        },
      },
      paths,
    },
    // What a client may send, and what it gets, are two shapes of one schema.
    { outputIdSuffix: '' },
  ) as unknown as Record<string, unknown>;
}
