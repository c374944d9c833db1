import { randomUUID } from 'node:crypto';
import { apis, type Operation } from '@kiln/contract';
import fc from 'fast-check';
import { pushImage } from '../client/push.ts';
import { type TestKiln } from './test-kiln.ts';

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

const oddText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', ' ', '\0', '\u202e', '🦩', '%00', '%', '../../etc/passwd', "'; DROP TABLE builds; --", '__proto__', 'constructor', '${7*7}', 'null', '-1', '1e400', 'true'), // prettier-ignore
  fc.constantFrom('a', 'ü', '\ud800').map((it) => it.repeat(70_000)),
);

const oddValue = fc.oneof(oddText, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constant([]), fc.constant({}), fc.jsonValue({ maxDepth: 3 })); // prettier-ignore

/** A valid example with some of its leaves or branches changed, dropped or doubled. */
const nearly = (example: unknown): fc.Arbitrary<unknown> => {
  if (Array.isArray(example))
    return fc.oneof(
      { weight: 6, arbitrary: fc.tuple(...example.map(nearly)) },
      { weight: 1, arbitrary: oddValue },
      { weight: 1, arbitrary: fc.constant([...example, ...(example as unknown[])]) },
    );
  if (typeof example === 'object' && example !== null) {
    const entries = Object.entries(example).map(([name, value]) =>
      fc.record({
        name: fc.oneof(
          { weight: 20, arbitrary: fc.constant(name) },
          { weight: 1, arbitrary: fc.constantFrom(name.toLowerCase(), name.toUpperCase(), `${name}_`) },
        ),
        keep: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
        value: nearly(value),
      }),
    );
    const more = fc.oneof(
      { weight: 4, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(oddText, oddValue, { maxKeys: 3 }) },
    );
    return fc.oneof(
      {
        weight: 12,
        arbitrary: fc.tuple(fc.tuple(...entries), more).map(([all, extra]) => ({
          ...extra,
          ...Object.fromEntries(all.filter((it) => it.keep).map((it) => [it.name, it.value])),
        })),
      },
      { weight: 1, arbitrary: oddValue },
    );
  }
  return fc.oneof({ weight: 12, arbitrary: fc.constant(example) }, { weight: 1, arbitrary: oddValue });
};

const wellFormed = (it: string): string => (it.isWellFormed() ? it : it.toWellFormed());
const encoded = (it: string): string => encodeURIComponent(wellFormed(it)).slice(0, 2000);

/** Sends an operation with these ids, query and body; by the Kiln's own account unless a token says otherwise. */
/** What the tus protocol wants of a request. */
const piece = (method: string) => ({
  'tus-resumable': '1.0.0',
  ...(method === 'POST' ? { 'upload-length': '9' } : { 'upload-offset': '0' }),
});

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

const pathOf = (operation: Operation, params: Record<string, string>): string =>
  operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(params[name] ?? ''));

/** Near-valid requests for an operation, about things that are there. */
export function requestFor(
  kiln: TestKiln,
  operation: Operation,
  ids: Record<string, string>,
  example: unknown,
): fc.Arbitrary<Sent> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((it) => it[1] ?? '');
  const odd = oddText.filter((it) => it !== '' && it !== '.' && it !== '..');
  const params = fc.record(
    Object.fromEntries(
      names.map((name) => [
        name,
        fc.oneof({ weight: 8, arbitrary: fc.constant(ids[name] ?? '') }, { weight: 1, arbitrary: odd }),
      ]),
    ),
  );
  const known = Object.keys(operation.query.shape);
  const usual = ['1', '20', 'true', 'DESC', '2021-01-12T14:36:01Z', 'a=b,c=*', kiln.account.workspaceId];
  const query = fc.array(
    fc.record({
      name: fc.oneof(fc.constantFrom(...(known.length > 0 ? known : ['x'])), oddText),
      value: fc.oneof(oddText, fc.constantFrom(...usual)),
    }),
    { maxLength: 4 },
  );
  const broken = ['[', 'null', '"x"', '[]', '['.repeat(100_000), `{"a":"${'x'.repeat(1_100_000)}"}`];
  const body = fc.oneof(
    { weight: 12, arbitrary: nearly(example ?? {}).map((it) => JSON.stringify(it)) },
    { weight: 1, arbitrary: fc.string({ maxLength: 50 }) },
    { weight: 1, arbitrary: fc.constantFrom(...broken) },
  );
  const types = ['text/plain', 'application/xml', 'application/json; charset=latin1', ';'];
  const type = fc.oneof(
    { weight: 12, arbitrary: fc.constant('application/json') },
    { weight: 1, arbitrary: fc.constantFrom(...types) },
  );
  return fc.record({ params, query, body, type }).map((it) => {
    const search = it.query.map(({ name, value }) => `${encoded(name)}=${encoded(value)}`).join('&');
    return {
      method: operation.method,
      path: `${pathOf(operation, it.params)}${search ? `?${search.slice(0, 6000)}` : ''}`,
      headers: { 'content-type': it.type },
      body: operation.body || it.body.length < 100 ? it.body : undefined,
    };
  });
}
