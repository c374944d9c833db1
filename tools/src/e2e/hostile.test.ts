import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { apis, operations, type Operation } from '@kiln/schemas';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import { pushImage } from '../client/push.ts';
import { openTestKiln, type TestKiln } from './kiln.ts';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({
    apps: ['registrar'],
    env: { KILN_REGISTER_WAIT_MS: '2000', KILN_REQUESTS_PER_SECOND: '0' },
  });
});
afterAll(() => kiln.stop());

/** Makes an image and a build of its own for an operation, and gives the ids that its path names. */
async function idsFor(operation: Operation): Promise<Record<string, string>> {
  const name = `odd-${randomUUID().slice(0, 8)}`;
  const body = { Name: name, ImageUri: kiln.base, WorkspaceId: kiln.account.workspaceId };
  const added = await kiln.pai('POST', '/api/v1/images', { body });
  const build = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
  if (operation.name === 'DeleteJob') await kiln.pai('POST', `/api/v1/jobs/${build.ImageBuildJobId}/stop`);
  const { rows } = await kiln.database.db.execute<{ id: string; group_id: string }>(
    sql`SELECT id, group_id FROM images WHERE pai_id = ${added.body.ImageId}`,
  );
  const id = operation.path.includes('/group/') ? rows[0]?.group_id : rows[0]?.id;
  return {
    ...build,
    project_id: kiln.account.projectId,
    JobId: build.ImageBuildJobId,
    PodId: `${build.ImageBuildJobId}-worker-0`,
    ImageId: added.body.ImageId as string,
    id: id ?? '',
    image_id: id ?? '',
    LabelKey: 'a',
  };
}

/** An operation's example, with what is there in place of what is not. */
async function exampleFor(operation: Operation): Promise<{ query: Record<string, string>; body: unknown }> {
  const { account, stack, base } = kiln;
  const unique = `odd-${randomUUID().slice(0, 8)}`;
  const here = JSON.stringify({ query: operation.example.query ?? {}, body: operation.example.body })
    .replaceAll('registry.example.com/ml/base:v1', base)
    .replaceAll('"123456"', JSON.stringify(account.workspaceId))
    .replaceAll('KILNA1B2C3D4E5F6G7H8', account.accessKeyId)
    .replaceAll('the-secret-of-that-key', account.accessKeySecret)
    .replaceAll('0123456789abcdef0123456789abcdef', account.projectId);
  // What is built gets a place of its own; what is registered must be there, and may be so once.
  const uri = 'registry.example.com/ml/torch-serving:v1';
  const own = `${stack.registryHost}/odd/${unique}:v1`;
  if (operation.name === 'RegisterImage') await pushImage(stack.registryHost, `odd/${unique}`, 'v1', 'amd64');
  const placed = here.replaceAll(uri, ['CreateImageBuild', 'RegisterImage'].includes(operation.name) ? own : base);
  return JSON.parse(placed.replaceAll('torch-serving', unique)) as { query: Record<string, string>; body: unknown };
}

interface Sent {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
}

interface Got {
  status: number;
  type: string;
  headers: Headers;
  text: string;
}

// A request that takes longer has hung: nothing here has to wait for anybody but a registrar, for 300 ms.
const patienceMs = 5000;

async function send({ method, path, headers, body }: Sent): Promise<Got> {
  const answer = await fetch(kiln.url + path, {
    method,
    headers: { authorization: `Bearer ${kiln.account.token}`, ...headers },
    ...(body === undefined || method === 'GET' ? {} : { body }),
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
async function written(): Promise<string> {
  const { rows } = await kiln.database.db.execute(
    sql`SELECT (SELECT count(*) FROM builds) AS builds, (SELECT count(*) FROM build_events) AS events,
      (SELECT count(*) FROM images WHERE status NOT IN ('INIT', 'CREATING', 'CREATE_FAILED')) AS images,
      (SELECT count(*) FROM image_labels) AS labels, (SELECT count(*) FROM tokens) AS tokens`,
  );
  return JSON.stringify(rows[0]);
}

/** The dialect's own shape of an error, whole and with nothing of the other one's. */
function expectDialect(operation: Operation, got: Got): void {
  const { dialect } = apis[operation.api];
  expect(got.headers.get(dialect === 'pai' ? 'x-acs-request-id' : 'x-request-id')).toMatch(/^[0-9A-F-]{36}$/);
  if (got.status < 400 && operation.stream) return;
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

const pathOf = (operation: Operation, params: Record<string, string>): string =>
  operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encoded(params[name] ?? ''));

/** Near-valid requests for an operation, about things that are there. */
function requestFor(operation: Operation, ids: Record<string, string>, example: unknown): fc.Arbitrary<Sent> {
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

describe('the documented example', () => {
  it.each(operations.map((it) => [it.name, it] as const))('of %s works', async (_, operation) => {
    const ids = await idsFor(operation);
    const { query, body } = await exampleFor(operation);
    const search = new URLSearchParams(query).toString();
    const got = await send({
      method: operation.method,
      path: `${pathOf(operation, ids)}${search ? `?${search}` : ''}`,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    expect({ status: got.status, text: got.text }).toMatchObject({ status: operation.statuses[0] });
    expectDialect(operation, got);
  });
});

describe('random, near-valid and oversized requests', () => {
  it.each(operations.map((it) => [it.name, it] as const))(
    '%s: no 5xx, no hang, no other dialect, nothing half-written',
    async (_, operation) => {
      const ids = await idsFor(operation);
      const { body: example } = await exampleFor(operation);
      await fc.assert(
        fc.asyncProperty(requestFor(operation, ids, example), async (sent) => {
          const before = await written();
          const got = await send(sent);
          expect(got.status).toBeLessThan(500);
          expectDialect(operation, got);
          if (got.status >= 400 && got.status !== 404) expect(await written()).toBe(before);
        }),
        { numRuns: Number(process.env['KILN_FUZZ_RUNS'] ?? 40), endOnFailure: true },
      );
    },
    120_000,
  );
});

describe('strangers', () => {
  it.each(operations.filter((it) => !it.anonymous).map((it) => [it.name, it] as const))(
    '%s asks who they are, in its dialect',
    async (_, operation) => {
      const path = operation.path.replace(/\{(\w+)\}/g, 'x');
      const answer = await fetch(kiln.url + path, { method: operation.method });
      const text = await answer.text();
      const expected = apis[operation.api].dialect === 'pai' ? 400 : 401;
      expect(answer.status).toBe(expected);
      expectDialect(operation, { status: expected, type: answer.headers.get('content-type') ?? '', headers: answer.headers, text }); // prettier-ignore
    },
  );
});

describe('decided cases', () => {
  const images = '/api/v1/images';
  const authorization = () => `Bearer ${kiln.account.token}`;
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const got = await send({ method: 'GET', path, headers, body: undefined });
    return { status: got.status, body: JSON.parse(got.text) };
  };
  const create = async (edit: (body: any) => void) => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`);
    edit(body);
    const got = await send({ method: 'POST', path: '/api/v1/imagebuilds', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }); // prettier-ignore
    return { status: got.status, body: JSON.parse(got.text) };
  };

  it('a parameter that comes twice is refused where it is known, and ignored where it is not', async () => {
    expect(await get(`${images}?PageSize=1&PageSize=2`)).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter', Message: 'PageSize: is given more than once' },
    });
    expect(await get(`${images}?Whatever=1&Whatever=2`)).toMatchObject({ status: 200 });
    expect(await get(`/v1/${kiln.account.projectId}/images?name=a&name=b`)).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.0104', error_msg: 'name: is given more than once' },
    });
  });

  it('a header that tells who asks, or what, comes once', async () => {
    const twice = (headers: [string, string][]) =>
      new Promise<{ status: number | undefined; body: any }>((resolve, reject) => {
        const { hostname, port } = new URL(kiln.url);
        const outgoing = httpRequest({ hostname, port, path: images, headers: headers.flat() as never }, (answer) => {
          let text = '';
          answer.on('data', (it: Buffer) => (text += it.toString()));
          answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
        });
        outgoing.on('error', reject).end();
      });
    const host: [string, string] = ['host', new URL(kiln.url).host];
    expect(await twice([host, ['authorization', authorization()], ['authorization', 'Bearer other']])).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter', Message: 'header authorization is given more than once' },
    });
    expect(await twice([host, ['authorization', authorization()], ['x-other', '1'], ['x-other', '2']])).toMatchObject({
      status: 200,
    });
  });

  it('percent-encoding is undone once, in paths and in queries', async () => {
    expect(await get(`${images}/image%2Dnone`)).toMatchObject({
      status: 404,
      body: { Message: 'there is no image image-none' },
    });
    expect(await get(`${images}/image%252Dnone`)).toMatchObject({
      status: 404,
      body: { Message: 'there is no image image%2Dnone' },
    });
    expect(await get(`${images}/a%2Fb`)).toMatchObject({ status: 404, body: { Message: 'there is no image a/b' } });
    expect(await get(`${images}/%zz`)).toMatchObject({ status: 400, body: { Code: 'InvalidParameter' } });
    expect(await get(`${images}/a%00b`)).toMatchObject({
      status: 400,
      body: { Message: 'ImageId: must not contain NUL' },
    });
    expect(await get(`${images}?Order=%44ESC`)).toMatchObject({ status: 200 });
    expect(await get(`${images}?Order=DE+SC`)).toMatchObject({ status: 400 });
  });

  it('text is kept as it came: no normal form, no trimming, no case folding; what is no text is refused', async () => {
    const name = `image-${randomUUID().slice(0, 8)}`;
    const labels = [{ Key: 'é', Value: 'e\u0301' }, { Key: 'e\u0301', Value: ' é ' }, { Key: 'Key', Value: '🦩' }, { Key: 'key', Value: '' }]; // prettier-ignore
    const made = await create((it) => Object.assign(it.Image, { Name: name, Labels: labels }));
    expect(made.status).toBe(200);
    const { body } = await get(`/api/v1/imagebuilds/${made.body.ImageBuildId}`);
    expect(body.Request.Image.Labels).toEqual(labels);
    expect(await create((it) => (it.Image.Description = 'a\ud800'))).toMatchObject({ status: 400, body: { Message: expect.stringContaining('Image.Description') } }); // prettier-ignore
  });

  it('unknown fields are ignored, unless they are almost one that protects somebody', async () => {
    expect(await create((it) => Object.assign(it, { NewInTheCloud: { a: 1 }, Image: { ...it.Image, Icon: 'x' } }))).toMatchObject({ status: 200 }); // prettier-ignore
    for (const [field, edit] of [
      ['accessibility', (it: any) => (it.accessibility = 'PRIVATE')],
      ['UserVPC', (it: any) => (it.UserVPC = { VpcId: 'v' })],
      ['security_group_id', (it: any) => (it.UserVpc = { security_group_id: 'v' })],
      ['registryAuths', (it: any) => (it.BuildConfig.registryAuths = {})],
      ['overwriteImageTag', (it: any) => (it.OverwriteImageTag_ = it.overwriteImageTag = true)],
    ] as const)
      expect(await create(edit)).toMatchObject({ status: 400, body: { Code: 'InvalidParameter', Message: expect.stringContaining(`${field}: is not a field; `) } }); // prettier-ignore
    const forced = await send({ method: 'DELETE', path: `/v1/${kiln.account.projectId}/images/${randomUUID()}?isForce=true`, headers: {}, body: undefined }); // prettier-ignore
    expect(forced).toMatchObject({
      status: 400,
      text: expect.stringContaining('isForce: is not a field; is_force is'),
    });
  });

  it('what is no HTTP, or too long for it, is answered in JSON, too', async () => {
    const raw = (bytes: string) =>
      new Promise<string>((resolve) => {
        const { hostname, port } = new URL(kiln.url);
        const socket = connect(Number(port), hostname, () => socket.write(bytes));
        let text = '';
        socket.on('data', (it: Buffer) => (text += it.toString()));
        socket.on('close', () => resolve(text));
        socket.on('error', () => resolve(text));
      });
    const parse = (answer: string) => ({
      status: Number(answer.split(' ')[1]),
      body: JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))),
    });
    expect(parse(await raw('nonsense\r\n\r\n'))).toMatchObject({ status: 400, body: { Code: 'InvalidParameter' } });
    expect(parse(await raw('GET /v1/p/images HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n'))).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.0104' },
    });
    expect(parse(await raw('GET /api/v1/images HTTP/1.1\r\nconnection: close\r\n\r\n'))).toMatchObject({
      status: 400,
      body: { Code: 'MissingParameter' },
    });
    const { projectId, token } = kiln.account;
    const absolute = `GET http://elsewhere/v1/${projectId}/images HTTP/1.1\r\nhost: a\r\nx-auth-token: ${token}\r\nconnection: close\r\n\r\n`;
    expect(parse(await raw(absolute))).toMatchObject({ status: 400, body: { error_code: 'ModelArts.0104' } });
    expect(parse(await raw(`GET ${images}?a=${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`))).toMatchObject({
      status: 431,
      body: { Code: 'InvalidParameter' },
    });
  });

  it('what nests too deep, or names a time or a cursor that there is not, is the client’s mistake', async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const path = `/v1/${kiln.account.projectId}/images`;
    const registered = await send({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body: deep,
    });
    expect(registered.status).toBe(400);
    expect(await get('/api/v1/jobs?StartTime=9999-12-31T12:00:00Z')).toMatchObject({ status: 400 });
    const cursor = Buffer.from('2020-01-01 a\0b').toString('base64url');
    expect(await get(`/api/v1/imagebuilds?Cursor=${cursor}`)).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter' },
    });
  });

  it('a parameter without a value is as one that was not sent', async () => {
    expect(await get(`${images}?PageSize=&Name=&Labels=`)).toMatchObject({ status: 200 });
  });

  it('paths, methods and contradictions have their dialect’s answers', async () => {
    expect(await get('/api/v2/none')).toMatchObject({ status: 404, body: { Code: 'InvalidAction.NotFound' } });
    expect(await get('/v1/none')).toMatchObject({ status: 404, body: { error_code: 'APIG.0101' } });
    const put = await send({ method: 'PUT', path: images, headers: {}, body: '{}' });
    expect(put).toMatchObject({ status: 405, text: expect.stringContaining('InvalidAction.NotFound') });
    expect(put.headers.get('allow')).toBe('POST, GET');
    expect(await get(images, { 'x-acs-action': 'GetImage' })).toMatchObject({ status: 404, body: { Code: 'InvalidAction.NotFound' } }); // prettier-ignore
    expect(await get(images, { 'x-acs-version': '2020-12-03' })).toMatchObject({ status: 400, body: { Code: 'InvalidVersion' } }); // prettier-ignore
    expect(await get('/api/v1/jobs', { 'x-acs-version': '2020-12-03' })).toMatchObject({ status: 200 });
  });
});
