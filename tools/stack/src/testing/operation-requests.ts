import { randomUUID } from 'node:crypto';
import { apis, type Operation } from '@kiln/contract';
import { pushImage } from '../client/push.ts';
import type { TestKiln } from './test-kiln.ts';

/** An operation's example, with what is there in place of what is not. */
export async function exampleFor(
  kiln: TestKiln,
  operation: Operation,
): Promise<{ query: Record<string, string>; body: unknown }> {
  const { account, stack, base } = kiln;
  const unique = `odd-${randomUUID().slice(0, 8)}`;
  const here = JSON.stringify({ query: operation.example.query ?? {}, body: operation.example.body })
    .replaceAll('registry.example.com/ml/base:v1', base)
    .replaceAll('"123456"', JSON.stringify(account.workspaceId))
    .replaceAll('KILNA1B2C3D4E5F6G7H8', account.accessKeyId)
    .replaceAll('the-secret-of-that-key', account.accessKeySecret)
    .replaceAll('kiln_your-token', account.token)
    .replaceAll('0123456789abcdef0123456789abcdef', account.projectId);
  // What is built gets a place of its own; what is registered must be there, and may be so once.
  const uri = 'registry.example.com/ml/torch-serving:v1';
  const own = `${stack.registryHost}/odd/${unique}:v1`;
  if (operation.name === 'RegisterImage') await pushImage(stack.registryHost, `odd/${unique}`, 'v1', 'amd64');
  const placed = here
    .replaceAll('registry.example.com/ml/torch-serving:v2', `${stack.registryHost}/odd/${unique}:v2`)
    .replaceAll(uri, ['CreateImageBuild', 'RegisterImage'].includes(operation.name) ? own : base);
  const reachable =
    operation.name === 'PutRegistry'
      ? placed.replace('"registry.example.com"', `"${stack.registryHost}"`).replace('"verify"', '"http"')
      : placed;
  return JSON.parse(reachable.replaceAll('torch-serving', unique)) as { query: Record<string, string>; body: unknown };
}

export interface Sent {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

export interface Got {
  status: number;
  type: string;
  headers: Headers;
  text: string;
}

// A request that takes longer has hung: nothing here has to wait for anybody but a registrar, for 300 ms.
const patienceMs = 5000;

export async function send(kiln: TestKiln, { method, path, headers, body }: Sent): Promise<Got> {
  const answer = await fetch(kiln.url + path, {
    method,
    headers: { authorization: `Bearer ${kiln.account.token}`, ...headers },
    ...(body === undefined || ['GET', 'HEAD'].includes(method) ? {} : { body }),
    signal: AbortSignal.timeout(patienceMs),
  });
  return {
    status: answer.status,
    type: answer.headers.get('content-type') ?? '',
    headers: answer.headers,
    text: await answer.text(),
  };
}

/** Everything that a request may write, counted. */
export async function written(kiln: TestKiln): Promise<string> {
  const { rows } = await kiln.database.db.$client.query(
    `SELECT (SELECT count(*) FROM builds) AS builds, (SELECT count(*) FROM build_events) AS events,
      (SELECT count(*) FROM images WHERE status NOT IN ('INIT', 'CREATING', 'CREATE_FAILED')) AS images,
      (SELECT count(*) FROM image_labels) AS labels, (SELECT count(*) FROM tokens) AS tokens, (SELECT count(*) FROM webhooks) AS webhooks`,
  );
  return JSON.stringify(rows[0]);
}

/** The dialect's own shape of an error, whole and with nothing of the other one's. */
export function expectDialect(operation: Operation, got: Got): void {
  const { dialect } = apis[operation.api];
  expect(got.headers.get(dialect === 'pai' ? 'x-acs-request-id' : 'x-request-id')).toMatch(/^[0-9A-F-]{36}$/);
  if ((got.status < 400 && (operation.stream || operation.bodiless)) || operation.method === 'HEAD') return;
  expect(got.type).toMatch(/^application\/json/);
  const body = JSON.parse(got.text) as Record<string, unknown>;
  if (got.status < 400) {
    expect(operation.statuses).toContain(got.status);
    const parsed = operation.reply.strict().safeParse(body);
    expect(parsed.error?.issues ?? []).toEqual([]);
  } else if (dialect === 'pai') {
    expect(body).toMatchObject({ RequestId: expect.any(String), HostId: expect.any(String), Code: expect.any(String), Message: expect.any(String) }); // prettier-ignore
    expect(body).not.toHaveProperty('error_code');
  } else {
    expect(body).toMatchObject({ error_code: expect.any(String), error_msg: expect.any(String), request_id: expect.any(String) }); // prettier-ignore
    expect(body).not.toHaveProperty('Code');
  }
}

const longestPart = 2000;

/** Text as part of an address, also where it is no text at all; not all of it, where it is long. */
export const encoded = (it: string): string =>
  encodeURIComponent(it.slice(0, longestPart).toWellFormed()).slice(0, longestPart);

/** What the tus protocol wants of a request. */
const piece = (method: string) => ({
  'tus-resumable': '1.0.0',
  ...(method === 'POST' ? { 'upload-length': '9' } : { 'upload-offset': '0' }),
});

/** Sends an operation with these ids, query and body; by the Kiln's own account unless a token says otherwise. */
export function sendOperation(
  kiln: TestKiln,
  operation: Operation,
  ids: Record<string, string>,
  { query, body }: { query: Record<string, string>; body: unknown },
  token: string = kiln.account.token,
): Promise<Got> {
  const search = new URLSearchParams(query).toString();
  return send(kiln, {
    method: operation.method,
    path: `${pathOf(operation, ids)}${search ? `?${search}` : ''}`,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': operation.upload?.[0] ?? 'application/json',
      ...(operation.path.includes('/contexts/uploads') ? piece(operation.method) : {}),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** An operation's path with these ids in it. */
export const pathOf = (operation: Operation, params: Record<string, string>): string =>
  operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(params[name] ?? ''));
