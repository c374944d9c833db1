import { createRequire } from 'node:module';
import { apis, type Operation } from '@kiln/contract';

// The clients are CommonJS, and say more of themselves at run time than in their types.
const require = createRequire(import.meta.url);

export interface CloudKey {
  accessKeyId: string;
  accessKeySecret: string;
  securityToken?: string;
  /** Instead of a key. */
  bearerToken?: string;
  projectId: string;
}

export interface CloudRequest {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
}

/** A failure as the client's own error shows it. */
export interface CloudError {
  name: string;
  code: string;
  message: string;
  status: number;
  requestId: string | undefined;
  retryAfterMs?: number | undefined;
}

export type CloudReply = { reply: any; error?: undefined } | { error: CloudError; reply?: undefined };

/** One of the clouds' own clients, as published. */
export interface CloudClient {
  name: string;
  call(operation: Operation, request?: CloudRequest): Promise<CloudReply>;
}

const versioned = (name: string): string =>
  `${name} ${(require(`${name}/package.json`) as { version: string }).version}`;

const fill = (path: string, params: Record<string, string> = {}): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? `{${name}}`));

const runtime = { readTimeout: 10_000, connectTimeout: 3000 };

const paiParams = ({ name, api, method, path }: Operation, params?: Record<string, string>) => ({
  action: name,
  version: apis[api].version ?? '2021-02-04',
  protocol: 'HTTPS',
  pathname: fill(path, params),
  method,
  authType: 'AK',
  style: 'ROA',
  reqBodyType: 'json',
  bodyType: 'json',
});

const paiConfig = (url: string, { projectId: _, ...credentials }: CloudKey, legacy: boolean) => ({
  ...credentials,
  endpoint: new URL(url).host,
  protocol: 'http',
  ...(legacy ? { signatureAlgorithm: 'v2' } : {}),
});

const paiError = (error: any): CloudError => ({
  name: error.name,
  code: error.code,
  message: error.message,
  status: error.statusCode,
  requestId: error.requestId ?? error.data?.RequestId,
  retryAfterMs: error.retryAfter,
});

interface AlibabaTypes {
  Config: any;
  Params: any;
  OpenApiRequest: any;
}

function alibaba(
  name: string,
  Client: any,
  { Config, Params, OpenApiRequest }: AlibabaTypes,
  config: object,
): CloudClient {
  const client = new Client(new Config(config));
  return {
    name: versioned(name),
    async call(operation, { params, query = {}, body } = {}) {
      try {
        const request = new OpenApiRequest({ headers: {}, query, ...(body === undefined ? {} : { body }) });
        const answer = await client.callApi(new Params(paiParams(operation, params)), request, runtime);
        return { reply: answer.body };
      } catch (error) {
        return { error: paiError(error) };
      }
    },
  };
}

/** `@alicloud/openapi-core`, which today's generated SDKs are made on. */
export function openapiCore(url: string, key: CloudKey, legacy = false): CloudClient {
  const core = require('@alicloud/openapi-core');
  return alibaba('@alicloud/openapi-core', core.default, core.$OpenApiUtil, paiConfig(url, key, legacy));
}

/** `@alicloud/openapi-client`, its predecessor. */
export function openapiClient(url: string, key: CloudKey, legacy = false): CloudClient {
  const client = require('@alicloud/openapi-client');
  return alibaba('@alicloud/openapi-client', client.default, client, paiConfig(url, key, legacy));
}

/** `@alicloud/pop-core`, which signs the old way only. */
export function popCore(url: string, key: CloudKey): CloudClient {
  const { ROAClient } = require('@alicloud/pop-core');
  const client = new ROAClient({ ...key, endpoint: url, apiVersion: '2021-02-04' });
  return {
    name: versioned('@alicloud/pop-core'),
    async call(operation, { params, query = {}, body } = {}) {
      const headers = { 'content-type': 'application/json', 'x-acs-version': apis[operation.api].version };
      const text = body === undefined ? '' : JSON.stringify(body);
      try {
        return {
          reply: await client.request(operation.method, fill(operation.path, params), query, text, headers, {
            timeout: 10_000,
          }),
        };
      } catch (error) {
        const { name, code, message, result } = error as any;
        const status = Number(/code: (\d+)/.exec(message)?.[1]);
        return { error: { name, code, message, status, requestId: result?.RequestId } };
      }
    },
  };
}

/** `@huaweicloud/huaweicloud-sdk-core`, which the generated ModelArts SDK is made on. */
export function huaweiCore(url: string, key: CloudKey): CloudClient {
  const { BasicCredentials } = require('@huaweicloud/huaweicloud-sdk-core');
  const { ClientBuilder } = require('@huaweicloud/huaweicloud-sdk-core/ClientBuilder');
  const credentials = new BasicCredentials()
    .withAk(key.accessKeyId)
    .withSk(key.accessKeySecret)
    .withProjectId(key.projectId);
  if (key.securityToken !== undefined) credentials.withSecurityToken(key.securityToken);
  const client = new ClientBuilder((hc: unknown) => hc)
    .withCredential(credentials)
    .withEndpoint(url)
    // Without a name of its own, the client writes one into the home folder.
    .withOptions({ customUserAgent: 'kiln-conformance' })
    .build();
  // It prints every failed exchange, credentials included.
  client.httpClient._logger = { debug: () => undefined, error: () => undefined };
  return {
    name: versioned('@huaweicloud/huaweicloud-sdk-core'),
    async call(operation, { params = {}, query = {}, body } = {}) {
      try {
        const reply = await client.sendRequest({
          method: operation.method,
          url: operation.path,
          contentType: 'application/json',
          queryParams: query,
          pathParams: { project_id: key.projectId, ...params },
          headers: {},
          ...(body === undefined ? {} : { data: body }),
        });
        return { reply };
      } catch (error) {
        const { name, httpStatusCode, errorCode, errorMsg, requestId } = error as any;
        return { error: { name, code: errorCode, message: errorMsg, status: httpStatusCode, requestId } };
      }
    },
  };
}
