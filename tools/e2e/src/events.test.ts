import { randomUUID } from 'node:crypto';
import { provisionAccount } from '@kiln/stack';
import { openSignedClient, readEvents, type SentEvent } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let second: string;
let headers: Record<string, string>;
beforeAll(async () => {
  kiln = await openTestKiln({ env: { KILN_REQUESTS_PER_SECOND: '0' } });
  second = await kiln.startApi({ KILN_ACCOUNT_REQUESTS_PER_SECOND: '0', KILN_ADDRESS_REQUESTS_PER_SECOND: '0' });
  headers = { authorization: `Bearer ${kiln.account.token}` };
});
afterAll(() => kiln.stop());

const submit = async (change = {}) =>
  kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${randomUUID()}\n`, change));
const follow = (api: string, { query = '', from }: { query?: string; from?: string | undefined } = {}) =>
  readEvents(`${api}/api/v1/events${query}`, { ...headers, ...(from === undefined ? {} : { 'last-event-id': from }) });

/** Reads on until something fits, the event that does so included. */
async function until(events: AsyncGenerator<SentEvent>, fits: (it: SentEvent) => boolean): Promise<SentEvent[]> {
  const seen: SentEvent[] = [];
  for await (const it of events) {
    seen.push(it);
    if (fits(it)) return seen;
  }
  throw new Error('the events ended');
}
const typesOf = (events: SentEvent[]): string[] =>
  events.filter((it) => it.event === 'message').map((it) => it.data.type as string);
const isImage = ({ data }: SentEvent) => data.type === 'image.active';
const life = ['queued', 'assigned', 'running', 'publishing', 'registering'].map((it) => `build.${it}`);

it('what happens to builds and images is told at once, in order, at any api, and from where a reader was cut off', async () => {
  const [one, two] = [follow(kiln.url), follow(second)];
  const ready = await Promise.all([one.next(), two.next()]);
  expect(ready.map((it) => (it.value as SentEvent).event)).toEqual(['ready', 'ready']);
  const { ImageBuildId, ImageBuildJobId } = await submit();
  const [seen, there] = await Promise.all([until(one, isImage), until(two, isImage)]);
  expect(there).toEqual(seen);
  // The entry and the end of the build are written together.
  expect(typesOf(seen).filter((it) => it !== 'build.succeeded')).toEqual([...life, 'image.active']);
  expect(seen[0]?.data).toMatchObject({
    id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
    data: { ImageBuildId, ImageBuildJobId, State: 'queued', WorkspaceId: kiln.account.workspaceId },
  });

  const cut = seen[2];
  const rest = await until(follow(second, { from: cut?.id }), isImage);
  expect(rest.filter((it) => it.event === 'message')).toEqual(seen.slice(3));
  const { body } = await kiln.pai('GET', '/api/v1/events', { query: { After: cut?.id ?? '', Types: 'build.*' } });
  expect(body.Events.map((it: { id: string }) => it.id)).toEqual(
    expect.arrayContaining(seen.slice(3).flatMap(({ data }) => (data.type === 'image.active' ? [] : [data.id]))),
  );
  // The cloud's own call tells the same.
  const events = await kiln.pai('GET', `/api/v1/jobs/${ImageBuildJobId}/events`);
  for (const state of ['Queuing', 'Running', 'Succeeded']) expect(events.text).toContain(state);
});

it('a list goes through all that is kept, page by page, and says where to go on', async () => {
  await kiln.ended((await submit()).ImageBuildId);
  const ids: string[] = [];
  let cursor = 'start';
  for (;;) {
    const { body } = await kiln.pai('GET', '/api/v1/events', { query: { After: cursor, Limit: '3' } });
    ids.push(...body.Events.map((it: { id: string }) => it.id));
    cursor = body.NextCursor;
    if (!body.More) break;
  }
  const { rows } = await kiln.database.db.$client.query<{ id: string }>(
    `SELECT 'evt_' || replace(key::text, '-', '') AS id FROM events`,
  );
  expect([...ids].sort()).toEqual(rows.map((it) => it.id).sort());
  const now = await kiln.pai('GET', '/api/v1/events', { query: { After: 'now' } });
  expect(now.body.Events).toEqual([]);
});

it('Follow=true is followed as server-sent events, too; NDJSON is refused', async () => {
  const stop = new AbortController();
  const answer = await fetch(`${kiln.url}/api/v1/events?Follow=true&After=start&Types=image.active`, {
    headers,
    signal: stop.signal,
  });
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  let text = '';
  for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    if (text.includes('"image.active"')) break;
  }
  stop.abort();
  expect(text).toMatch(/event: ready\ndata: \{"cursor":"[0-9a-f]{8}-0-0"\}/);
  expect(text).toContain('"Status":"ACTIVE"');
  const refused = await kiln.pai('GET', '/api/v1/events', { query: { Format: 'ndjson' } });
  expect(refused).toMatchObject({ status: 400, body: { Message: 'Format: must be one of json, sse' } });
});

it('a cursor of which events are gone, or that is of elsewhere, is told to begin anew', async () => {
  for (const from of ['b611c233-9000000000000000000-1', '00000000-1-1', 'of another kind']) {
    const [first] = await until(follow(kiln.url, { from }), () => true);
    expect(first?.event).toBe('reset');
  }
  const list = await kiln.pai('GET', '/api/v1/events', { query: { After: '00000000-1-1' } });
  expect(list.body).toMatchObject({ Events: [], Reset: true });
});

it('an admin who follows is told of a workspace that is made meanwhile', async () => {
  const events = follow(kiln.url);
  await events.next();
  const { id } = await kiln.admin([
    'create',
    'workspace',
    kiln.account.accountName,
    kiln.account.projectId,
    `later-${randomUUID()}`,
  ]);
  // Who sees what is remembered for two seconds.
  await new Promise((resolve) => setTimeout(resolve, 2200));
  const { ImageBuildId } = await submit({ top: { WorkspaceId: id } });
  await until(events, ({ data }) => data.data?.ImageBuildId === ImageBuildId);
});

describe('who sees what', () => {
  it('members see what is public in their workspaces and their own, others nothing of it', async () => {
    const { accountName, workspaceId } = kiln.account;
    await kiln.admin(['create', 'user', accountName, 'member', '--role', 'developer', '--workspace', workspaceId]);
    const { token } = await kiln.admin(['create', 'token', accountName, 'member']);
    const mine = { headers: { authorization: `Bearer ${String(token)}` } };
    const other = await provisionAccount(
      kiln.database.db,
      kiln.env['KILN_SEALING_KEY'] ?? '',
      `other-${randomUUID()}`,
      kiln.stack.registryHost,
    );
    const hidden = await submit({ top: { Accessibility: 'PRIVATE' } });
    const shown = await submit({ top: { Accessibility: 'PUBLIC' } });
    await Promise.all([hidden, shown].map((it) => kiln.ended(it.ImageBuildId)));
    const seen = await (await fetch(`${kiln.url}/api/v1/events`, mine)).text();
    expect(seen).toContain(shown.ImageBuildId);
    expect(seen).not.toContain(hidden.ImageBuildId);
    const theirs = await openSignedClient(kiln.url, other).pai('GET', '/api/v1/events');
    expect(theirs.body.Events).toEqual([]);
    const foreign = await openSignedClient(kiln.url, other).pai('GET', '/api/v1/events', {
      query: { WorkspaceId: workspaceId },
    });
    expect(foreign.status).toBe(404);
  });
});

it('three hundred readers of an account get every event once, over few connections', async () => {
  const readers = 300;
  const connections = async () =>
    Number(
      (
        await kiln.database.db.$client.query(
          `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()`,
        )
      ).rows[0].n,
    );
  const before = await connections();
  let ready = 0;
  let ended = () => undefined as void;
  const allReady = new Promise<void>((resolve) => (ended = resolve));
  const reading = Array.from({ length: readers }, async (_, n) => {
    const types: string[] = [];
    for await (const it of follow(n % 2 === 0 ? kiln.url : second)) {
      if (it.event === 'ready' && ++ready === readers) ended();
      if (it.event === 'message') types.push(it.data.type as string);
      if (isImage(it)) return types;
    }
    return types;
  });
  await allReady;
  await submit();
  const all = await Promise.all(reading);
  expect(new Set(all.map((it) => it.filter((type) => type !== 'build.succeeded').join())).size).toBe(1);
  expect((await connections()) - before).toBeLessThan(60);
});
