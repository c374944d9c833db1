import { setTimeout as sleep } from 'node:timers/promises';
import type { EventCursor } from '@kiln/domain';
import { eventually } from '@kiln/kit/testing';
import { sql } from 'drizzle-orm';
import {
  forgetEvents,
  resolveEventCursor,
  currentEventCursor,
  readEvents,
  adoptCopiedEvents,
  oldestEventCursor,
} from './events.ts';
import { changeWebhook, insertWebhook } from './webhooks.ts';
import { createAccount } from '../accounts/provision.ts';
import { giveUpStopped, planDeliveries, redeliver, settleDelivery, takeDeliveries } from './webhook-deliveries.ts';
import { inTransaction } from '../db/database.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';

let bench: BuildBench;
beforeEach(async () => {
  bench = await openBuildBench();
});
afterEach(() => bench.close());

const read = async (cursor?: EventCursor, limit = 100) =>
  readEvents(bench.db, bench.account.id, cursor ?? (await oldestEventCursor(bench.db)), limit);
const run = (text: string) => bench.db.$client.query(text);
/** Waits until no transaction of this server, of other tests' databases either, holds back what was written here. */
const horizon = () =>
  eventually(async () => {
    const { rowCount } = await run('SELECT FROM events WHERE xact >= pg_snapshot_xmin(pg_current_snapshot())');
    return rowCount === 0 || undefined;
  }, 'the horizon');
const readAll = async () => {
  await horizon();
  return read();
};
const plan = async () => {
  await horizon();
  return (await planDeliveries(bench.db)).looked;
};
const insertEvent = (type: string) =>
  sql`INSERT INTO events (account_id, workspace_id, user_id, visibility, type, data) VALUES (${bench.account.id}, '', '', 'PUBLIC', ${type}, '{}')`;

it('every change of a build is told with what it changed, and none that came to nothing', async () => {
  const build = await bench.claimed();
  await inTransaction(bench.db, async (tx) => {
    await tx.execute(insertEvent('image.active'));
    throw new Error('comes to nothing');
  }).catch(() => undefined);
  const events = await readAll();
  expect(events.map((it) => it.type)).toEqual(['build.queued', 'build.assigned']);
  expect(events[1]?.data).toMatchObject({
    kind: 'build',
    buildId: build.id,
    host: build.host,
    repository: build.repository,
    tag: build.tag,
    state: 'assigned',
    attempt: 1,
    message: 'taken by w1',
  });
});

it('nothing is passed over by those who read on, in whatever order transactions end', async () => {
  let cursor = await currentEventCursor(bench.db);
  const seen: string[] = [];
  const readOn = async () => {
    for (const it of await read(cursor)) {
      seen.push(it.type);
      cursor = it.cursor;
    }
  };
  await inTransaction(bench.db, async (early) => {
    await early.execute(sql`SELECT pg_current_xact_id()`);
    await inTransaction(bench.db, async (late) => {
      // The later transaction draws the lower number, and ends first.
      await late.execute(insertEvent('b'));
      await early.execute(insertEvent('a'));
    });
    await readOn();
    // What has ended is not told while something could still come before it.
    expect(seen).toEqual([]);
  });
  await horizon();
  await readOn();
  expect(seen).toEqual(['a', 'b']);
});

it('two hundred writers at once lose nothing and tell nothing twice to one that reads all the while', async () => {
  let cursor = await currentEventCursor(bench.db);
  const seen: number[] = [];
  let writing = true;
  const reading = (async () => {
    for (;;) {
      const last = !writing;
      const events = await read(cursor, 7);
      for (const it of events) seen.push(it.id);
      cursor = events.at(-1)?.cursor ?? cursor;
      if (last && events.length === 0) return;
    }
  })();
  await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      inTransaction(bench.db, async (tx) => {
        await tx.execute(insertEvent(`e${n}`));
        await tx.execute(sql`SELECT pg_sleep(${(n % 7) / 200})`);
        await tx.execute(insertEvent(`f${n}`));
      }),
    ),
  );
  await horizon();
  writing = false;
  await reading;
  expect(new Set(seen).size).toBe(400);
  expect(seen.length).toBe(400);
});

it('a cursor of which events were forgotten, or that is of another server epoch, is replaced', async () => {
  await bench.newBuild();
  await bench.newBuild();
  const [first, second] = await readAll();
  if (!first || !second) throw new Error('no events');
  const start = await oldestEventCursor(bench.db);
  expect(await resolveEventCursor(bench.db, start)).toBe(start);
  await run(`UPDATE events SET at = now() - interval '31 days' WHERE id = ${first.id}`);
  expect(await forgetEvents(bench.db, 30)).toBe(false);
  expect((await readAll()).map((it) => it.id)).toEqual([second.id]);
  expect(await resolveEventCursor(bench.db, start)).toEqual(first.cursor);
  expect(await resolveEventCursor(bench.db, first.cursor)).toBe(first.cursor);
  for (const foreign of [
    { ...first.cursor, xact: '9000000000000000000' },
    { ...second.cursor, epoch: '00000000' },
  ]) {
    // The present moves on with every transaction of the server, those of other tests' databases too.
    const before = await currentEventCursor(bench.db);
    const replaced = await resolveEventCursor(bench.db, foreign);
    const after = await currentEventCursor(bench.db);
    expect(replaced).toEqual({ ...before, xact: replaced.xact });
    expect(BigInt(replaced.xact)).toBeGreaterThanOrEqual(BigInt(before.xact));
    expect(BigInt(replaced.xact)).toBeLessThanOrEqual(BigInt(after.xact));
  }
});

it('events that were copied from another database come before all that happens here, in their order', async () => {
  for (let n = 0; n < 3; n += 1) await bench.newBuild();
  const before = (await readAll()).map((it) => it.id);
  await run(`UPDATE events SET xact = '9000000000000000000' WHERE id = ${before[0]}`);
  await run(`UPDATE event_marks SET xact = '8999999999999999999', id = ${before[1]} WHERE name = 'webhooks'`);
  await adoptCopiedEvents(bench.db);
  await bench.newBuild();
  // The order of their transactions stays.
  expect((await readAll()).map((it) => it.id).slice(0, 3)).toEqual([before[1], before[2], before[0]]);
  // The one that the mark had not come to, and the new one.
  expect(await plan()).toBe(2);
});

it('whoever makes deliveries begins at the mark, however much lies before it', async () => {
  await run(`INSERT INTO events (account_id, workspace_id, user_id, visibility, type, data)
    SELECT 'a', '', '', 'PUBLIC', 'image.active', '{}' FROM generate_series(1, 200000)`);
  await run('ANALYZE events');
  while ((await plan()) > 0);
  const timed = async (what: () => Promise<unknown>) => {
    const begun = performance.now();
    for (let n = 0; n < 10; n += 1) await what();
    return performance.now() - begun;
  };
  const all = await timed(() =>
    run(`SELECT count(*) FROM events WHERE xact < pg_snapshot_xmin(pg_current_snapshot()) AND data <> '1'`),
  );
  expect(await timed(() => planDeliveries(bench.db))).toBeLessThan(all / 2);
});

describe('deliveries', () => {
  const webhook = { id: 'wh-1', url: 'https://a', description: '', types: [] as string[], workspaceId: null };
  const add = (change: Partial<typeof webhook> = {}) =>
    insertWebhook(bench.db, { ...webhook, ...change, accountId: bench.account.id, secretSealed: 's' }, 2);
  const free = { all: 0, accounts: new Map<string, number>(), webhooks: new Map<string, number>() };
  const take = (all = 10, busy: Partial<typeof free> = {}) =>
    takeDeliveries(bench.db, { all, account: 3, webhook: 2 }, { ...free, ...busy }, 30);

  it('are made once of each event that a webhook wants', async () => {
    await bench.newBuild();
    await add({ types: ['build.assigned', 'image.*'] });
    await add({ id: 'wh-2' });
    expect(await add({ id: 'wh-3' })).toBe(false);
    await bench.claimed();
    await Promise.all([plan(), plan()]);
    await plan();
    const { rows } = await run(
      `SELECT d.webhook_id, e.type FROM webhook_deliveries d JOIN events e ON e.id = event_id ORDER BY webhook_id, e.id`,
    );
    expect(rows).toEqual([
      { webhook_id: 'wh-1', type: 'build.assigned' },
      { webhook_id: 'wh-2', type: 'build.queued' },
      { webhook_id: 'wh-2', type: 'build.assigned' },
    ]);
  });

  it('are taken by one sender each, a few of a webhook at a time, and again when a sender is not heard of', async () => {
    await add();
    for (let n = 0; n < 5; n += 1) await bench.newBuild();
    await plan();
    const [one, two] = await Promise.all([take(), take()]);
    const ids = [...one, ...two].map((it) => it.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(Math.max(one.length, two.length)).toBe(2);
    expect(await take(10, { webhooks: new Map([['wh-1', 2]]) })).toEqual([]);
    expect(await take(10, { accounts: new Map([[bench.account.id, 3]]) })).toEqual([]);
    await run(`UPDATE webhook_deliveries SET next_at = now() - interval '1 second' WHERE tries > 0`);
    const again = await take();
    const [late] = one.filter((it) => again.some(({ id }) => id === it.id));
    if (!late) throw new Error('not taken again');
    // Whoever was taken for dead has no say any more.
    await settleDelivery(bench.db, late, { at: '', ms: 1 }, { outcome: 'failed' });
    const { rows } = await run(`SELECT state, tries FROM webhook_deliveries WHERE id = ${late.id}`);
    expect(rows).toEqual([{ state: 'waiting', tries: 2 }]);
  });

  it('of a webhook through which nothing came for five days are given up, and the webhook with them', async () => {
    await add();
    await bench.newBuild();
    await bench.newBuild();
    await plan();
    await run(`UPDATE webhooks SET failing_since = now() - interval '6 days'`);
    const [first, second] = await take();
    if (!first || !second) throw new Error('nothing taken');
    const record = { at: new Date().toISOString(), ms: 1, status: 500 };
    const enabled = async () => (await run(`SELECT enabled, stopped_because FROM webhooks`)).rows as unknown;
    // One that fails now says nothing of the days in which nothing was sent.
    await settleDelivery(bench.db, first, record, { outcome: 'again', afterMs: 5000 });
    expect(await enabled()).toEqual([{ enabled: true, stopped_because: '' }]);
    await settleDelivery(bench.db, second, record, { outcome: 'failed' });
    const because = 'nothing has come through for 5 days';
    expect(await enabled()).toEqual([{ enabled: false, stopped_because: because }]);
    expect(await take()).toEqual([]);
    expect(await giveUpStopped(bench.db)).toBe(1);
    const { rows } = await run(
      `SELECT state, log->-1->>'error' AS error FROM webhook_deliveries WHERE id = ${first.id}`,
    );
    expect(rows).toEqual([{ state: 'failed', error: because }]);
  });

  it('of an account that has many wait for it do not hold up those of others', async () => {
    await add();
    await add({ id: 'wh-2' });
    for (let n = 0; n < 5; n += 1) await bench.newBuild();
    const other = await createAccount(bench.db, 'other');
    await bench.newBuild({ accountId: other.id });
    // Times are kept to the millisecond, and a webhook gets what happens in that of its birth.
    await sleep(2);
    await insertWebhook(bench.db, { ...webhook, id: 'wh-other', accountId: other.id, secretSealed: 's' }, 2);
    await bench.newBuild({ accountId: other.id });
    await plan();
    // One cursor is free, and the others have waited longer.
    const busy = { all: 3, accounts: new Map([[bench.account.id, 2]]) };
    expect((await take(4, busy)).map((it) => it.webhook.id)).toEqual(['wh-other']);
    expect((await take(10)).map((it) => it.webhook.accountId)).toEqual([1, 2, 3].map(() => bench.account.id));
  });

  it('are sent again as somebody asked, whatever becomes of a try that was under way', async () => {
    await add();
    await bench.newBuild();
    await plan();
    const [late] = await take();
    if (!late) throw new Error('nothing taken');
    expect(await redeliver(bench.db, 'wh-1', late.id)).toBe(true);
    await settleDelivery(bench.db, late, { at: '', ms: 1 }, { outcome: 'failed' });
    expect((await take()).map((it) => it.id)).toEqual([late.id]);
  });

  it('end side by side, while somebody stops their webhook', async () => {
    for (let round = 0; round < 5; round += 1) {
      await run('DELETE FROM webhooks');
      await add();
      for (let n = 0; n < 2; n += 1) await bench.newBuild();
      await plan();
      const taken = await take();
      expect(taken.length).toBe(2);
      await Promise.all([
        ...taken.map((it) =>
          settleDelivery(bench.db, it, { at: '', ms: 1, status: 410 }, { outcome: 'failed', stop: 'gone' }),
        ),
        changeWebhook(bench.db, bench.account.id, 'wh-1', { enabled: false }),
        giveUpStopped(bench.db),
      ]);
    }
  });

  it('are of as many webhooks as an account may have, however many are added at once', async () => {
    const added = await Promise.all(Array.from({ length: 8 }, (_, n) => add({ id: `wh-${n}` })));
    expect(added.filter(Boolean)).toHaveLength(2);
  });
});
