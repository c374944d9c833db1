import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@kiln/kit/testing';
import { readEvents, type SentEvent } from '@kiln/stack/client';
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

const pathOf = (id: string) => `/api/v1/imagebuilds/${id}/logs`;
// Each its own: a step that ran before would come from the cache, with nothing to follow.
const submit = async (steps: string) =>
  (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${randomUUID()}; ${steps}\n`))).ImageBuildId;
const follow = (id: string, { api = kiln.url, from }: { api?: string; from?: string | undefined } = {}) =>
  readEvents(`${api}${pathOf(id)}`, { ...headers, ...(from === undefined ? {} : { 'last-event-id': from }) });
const all = async (events: AsyncGenerator<SentEvent>): Promise<SentEvent[]> => {
  const seen: SentEvent[] = [];
  for await (const it of events) seen.push(it);
  return seen;
};
interface Line {
  Cursor: number;
  Text: string;
}
const linesOf = (events: SentEvent[]): Line[] =>
  events.filter((it) => it.event === 'log').flatMap((it) => (it.data as { Lines: Line[] }).Lines);
const counting = 'for n in $(seq 1 40); do echo line $n; sleep 0.1; done';

describe('a log', () => {
  it('arrives as it is written, whole and in order, from any api, with what becomes of the build', async () => {
    const id = await submit(counting);
    const began = Date.now();
    let firstAt = 0;
    const first = (async () => {
      const seen: SentEvent[] = [];
      for await (const it of follow(id)) {
        if (it.event === 'log' && JSON.stringify(it.data).includes('line 1"')) firstAt ||= Date.now();
        seen.push(it);
      }
      return seen;
    })();
    const [one, two] = await Promise.all([first, all(follow(id, { api: second }))]);
    const ended = Date.now();
    for (const seen of [one, two]) {
      const lines = linesOf(seen);
      expect(lines.map((it) => it.Cursor)).toEqual(lines.map((_, n) => n + 1));
      expect(lines.map((it) => `${it.Text}\n`).join('')).toBe(await kiln.logs(id));
      expect(seen.at(-1)).toMatchObject({ event: 'end', data: { State: 'succeeded' } });
      const states = seen.filter((it) => it.event === 'progress').map((it) => it.data.State as string);
      expect(states).toEqual([...states].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
      expect(states.at(-1)).toBe('succeeded');
    }
    // Its first line is there long before its last: it was not kept until the end.
    expect(firstAt - began).toBeGreaterThan(0);
    expect(ended - firstAt).toBeGreaterThan(2500);
  });
  const order = ['queued', 'assigned', 'running', 'publishing', 'registering', 'succeeded'];

  it('goes on where a client was cut off, at another api, without a gap or anything twice', async () => {
    const id = await submit(counting);
    const seen: SentEvent[] = [];
    for (let api = kiln.url; seen.at(-1)?.event !== 'end'; api = api === kiln.url ? second : kiln.url) {
      const from = seen.findLast((it) => it.id !== undefined)?.id;
      let taken = 0;
      for await (const it of follow(id, { api, from })) {
        seen.push(it);
        if (it.event === 'log' && (taken += 1) === 2) break;
      }
    }
    const lines = linesOf(seen);
    expect(lines.map((it) => it.Cursor)).toEqual(lines.map((_, n) => n + 1));
    expect(lines.map((it) => `${it.Text}\n`).join('')).toBe(await kiln.logs(id));
    expect(seen.some((it) => it.event === 'reset')).toBe(false);
  });

  it('says so when the place that was asked for is not there, and starts anew', async () => {
    const id = await submit('echo here');
    await kiln.ended(id);
    for (const from of ['1.99999', '9.0']) {
      const [reset, ...rest] = await all(follow(id, { from }));
      expect(reset).toEqual({ id: '1.0', event: 'reset', data: { Attempt: 1, Cursor: 0 } });
      expect(linesOf(rest).map((it) => it.Text)).toContain('here');
      expect(rest.at(-1)).toMatchObject({ event: 'end' });
    }
  });

  it('is followed as text, too; as NDJSON it is read, and not followed', async () => {
    const id = await submit(counting);
    const follow = (format: string) => fetch(`${kiln.url}${pathOf(id)}?Follow=true&Format=${format}`, { headers });
    const refused = await follow('ndjson');
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ Message: 'Format: ndjson cannot be followed; use sse or text' });
    const text = await (await follow('text')).text();
    expect(text).toBe(await kiln.logs(id));
    const records = (await (await fetch(`${kiln.url}${pathOf(id)}?Format=ndjson`, { headers })).text()).trimEnd().split('\n').map((it) => JSON.parse(it)); // prettier-ignore
    expect(records.map((it) => `${it.Text}\n`).join('')).toBe(text);
  });

  it('is nobody else’s', async () => {
    const id = await submit('true');
    expect((await fetch(`${kiln.url}${pathOf(id)}`, { headers: { accept: 'text/event-stream' } })).status).toBe(400);
    expect((await fetch(`${kiln.url}${pathOf('build-other')}`, { headers: { ...headers, accept: 'text/event-stream' } })).status).toBe(404); // prettier-ignore
    await kiln.ended(id);
  });
});

it('a thousand who watch one build neither slow it nor take connections to the database', async () => {
  const alone = await kiln.ended(await submit(counting));
  const tookMs = (build: { GmtStartTime: string; GmtFinishTime: string }) =>
    Date.parse(build.GmtFinishTime) - Date.parse(build.GmtStartTime);
  const id = await submit(`sleep 2; ${counting}`);
  const connections = async () => {
    const { rows } = await kiln.database.db.$client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND usename = 'kiln_api'`,
    );
    return rows[0]?.n ?? 0;
  };
  let open = 0;
  const watch = async (): Promise<{ lines: number; last: string | undefined }> => {
    const seen: SentEvent[] = [];
    for await (const it of follow(id, { api: second })) {
      if (seen.length === 0) open += 1;
      seen.push(it);
    }
    return { lines: linesOf(seen).length, last: seen.at(-1)?.event };
  };
  // As browsers do when a busy machine cannot take a thousand in one moment.
  const whenBusy = async (error: Error) => {
    if (!error.message.endsWith('answered 503')) throw error;
    await sleep(500);
    return watchPatiently();
  };
  const watchPatiently = (): ReturnType<typeof watch> => watch().catch(whenBusy);
  const watchers = Array.from({ length: 1000 }, watchPatiently);
  await eventually(() => (open === 1000 ? true : undefined), 'all to watch', 120_000);
  // Two apis with a pool of 20 and a small one each.
  expect(await connections()).toBeLessThanOrEqual(54);
  const seen = await Promise.all(watchers);
  const text = await kiln.logs(id);
  expect(new Set(seen.map((it) => JSON.stringify(it)))).toEqual(
    new Set([JSON.stringify({ lines: text.trimEnd().split('\n').length, last: 'end' })]),
  );
  const watched = await kiln.ended(id);
  // The two seconds that it slept, and room for a machine that is busy with others.
  expect(tookMs(watched) - tookMs(alone)).toBeLessThan(2000 + 15_000);
});
