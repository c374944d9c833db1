import { eventually } from '@kiln/kit/testing';
import { openReceiver, openTestKiln, type Receiver, type TestKiln } from '@kiln/stack/testing';

interface Span {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  attributes: Record<string, unknown>;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

let collector: Receiver;
let kiln: TestKiln;
beforeAll(async () => {
  collector = await openReceiver(() => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: '{}',
  }));
  kiln = await openTestKiln({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${collector.host}` } });
});
afterAll(async () => {
  await kiln.stop();
  collector.close();
});
/** Every body that was sent, and the spans in them. */
const bodies = () => collector.received.map((it) => it.body);

const facts = (list: Attribute[] = []): Record<string, unknown> =>
  Object.fromEntries(list.map((it) => [it.key, Object.values(it.value)[0]]));

const spans = (): Span[] =>
  bodies()
    .flatMap((it) => (JSON.parse(it) as { resourceSpans: any[] }).resourceSpans)
    .flatMap((it) =>
      it.scopeSpans
        .flatMap((scope: any) => scope.spans)
        .map((span: any) => ({
          service: facts(it.resource.attributes)['service.name'],
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId || undefined,
          name: span.name,
          attributes: facts(span.attributes),
        })),
    );

/** What spans may say: Kiln's own are listed in one type; those of the queue say names and ids of jobs. */
const known = [
  'kiln.request.id',
  'kiln.build.id',
  'kiln.image.id',
  'kiln.attempt',
  'kiln.phase',
  'kiln.step',
  'kiln.result',
  'http.request.method',
  'http.response.status_code',
  'server.address',
  'server.port',
  'error.type',
];

it('a build is one trace, from the request to the catalogue, and says nothing that a user wrote', async () => {
  const secret = 'hunter2-in-auths';
  const auth = Buffer.from(`someone:${secret}`).toString('base64');
  const body = kiln.buildRequest(`FROM ${kiln.base}\nENV WORD=shibboleth\nRUN echo shibboleth\n`, {
    config: { RegistryAuths: { 'other.example.com': { Auth: auth } } },
  });
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const answer = await fetch(`${kiln.url}/api/v1/imagebuilds`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${kiln.account.token}`,
      'content-type': 'application/json',
      traceparent: parent,
      baggage: 'word=shibboleth',
    },
    body: JSON.stringify(body),
  });
  const { ImageBuildId } = (await answer.json()) as { ImageBuildId: string };
  expect((await kiln.ended(ImageBuildId)).State).toBe('succeeded');
  const trace = await eventually(() => {
    const found = spans().filter((it) => it.traceId === parent.split('-')[1]);
    const known = new Set([parent.split('-')[2], ...found.map((it) => it.spanId)]);
    const isWhole = found.every((it) => it.parentSpanId !== undefined && known.has(it.parentSpanId));
    return isWhole && found.some((it) => it.name === 'register build') ? found : undefined;
  }, 'the whole trace');
  const services = (name: string) => [...new Set(trace.filter((it) => it.name === name).map((it) => it.service))];
  expect(services('CreateImageBuild')).toEqual(['kiln-api']);
  expect(services('build attempt')).toEqual(['kiln-builder']);
  expect(services('register build')).toEqual(['kiln-registrar']);
  expect(services('registry GET')).toEqual(expect.arrayContaining(['kiln-builder', 'kiln-registrar']));
  expect(trace.map((it) => it.name)).toEqual(expect.arrayContaining(['prepare', 'build', 'push', 'step', 'registry PUT'])); // prettier-ignore

  // It hangs together: from every span the way leads up to the client's own.
  const byId = new Map(trace.map((it) => [it.spanId, it]));
  const wayUp = (it: Span): string[] => {
    const above = it.parentSpanId === undefined ? undefined : byId.get(it.parentSpanId);
    return above ? [it.name, ...wayUp(above)] : [it.name, it.parentSpanId ?? ''];
  };
  for (const it of trace) expect(wayUp(it).at(-1)).toBe(parent.split('-')[2]);
  const registered = wayUp(trace.find((it) => it.name === 'register build') as Span).join(' < ');
  expect(registered).toBe(
    [
      'register build',
      'process image-register',
      'add image-register.image-register',
      'build attempt',
      'process image-build',
      'add image-build.image-build',
      'CreateImageBuild',
      parent.split('-')[2],
    ].join(' < '),
  );
  // The engine's own requests to its registry are among them, and belong to the phase that made it ask.
  const put = trace.find((it) => it.name === 'registry PUT' && it.service === 'kiln-builder') as Span;
  expect(wayUp(put).slice(1, 3)).toEqual(['push', 'build attempt']);

  for (const it of spans())
    for (const key of Object.keys(it.attributes)) expect(known.includes(key) || key.startsWith('bullmq.')).toBe(true);
  const all = bodies().join('\n');
  for (const word of [secret, auth, kiln.account.token, 'shibboleth', body.Image.Name, kiln.account.accessKeySecret])
    expect(all).not.toContain(word);
});

it('what is only read, and what nobody asked for, begins no trace', async () => {
  const before = new Set(spans().map((it) => it.traceId));
  await kiln.pai('GET', '/api/v1/imagebuilds');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const roots = spans().filter((it) => it.parentSpanId === undefined);
  expect(roots.filter((it) => !before.has(it.traceId))).toEqual([]);
  expect(new Set(roots.map((it) => it.service))).toEqual(new Set(roots.length > 0 ? ['kiln-api'] : []));
});

it('a collector that is away holds nobody up', async () => {
  const url = await kiln.startApi({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  const answer = await fetch(`${url}/api/v1/dockerfile/lint`, {
    method: 'POST',
    headers: { authorization: `Bearer ${kiln.account.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ Dockerfile: 'FROM scratch\n' }),
  });
  expect(answer.status).toBe(200);
  const begun = Date.now();
  await kiln.stopApi(url);
  expect(Date.now() - begun).toBeLessThan(20_000);
});
