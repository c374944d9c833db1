import type { EventData, EventType } from '@kiln/domain';
import { and, desc, eq, lt, type SQL, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { commitHorizon, commitHorizonSql } from './events.ts';
import { type DeliveryTry, events, webhookDeliveries, webhooks } from '../tables/events.ts';
import { stopWebhook, type Webhook } from './webhooks.ts';

export type { DeliveryTry } from '../tables/events.ts';

/** Events that one `planDeliveries` looks at, at most. */
export const eventsAtOnce = 1000;

/**
 * Events `e` after a mark. Subselects, and no join: the index is then entered at the mark, however many events lie
 * before it.
 */
const afterMark = (mark: string) => `(e.xact, e.id) > ((SELECT xact FROM ${mark}), (SELECT id FROM ${mark}))`;
const undispatched = afterMark(`event_marks WHERE name = 'webhooks'`);
/** A statement that returns a row when there are events for which no deliveries were made. */
export const undispatchedEvents = `SELECT 1 FROM events e WHERE ${undispatched} AND e.xact < ${commitHorizonSql}
  ORDER BY e.xact, e.id LIMIT 1`;

/**
 * Makes deliveries of the events that have none yet. One process does so at a time; the mark moves in the same
 * statement.
 * @returns how many events were looked at, and how many deliveries were made
 */
export async function planDeliveries(db: Database): Promise<{ looked: number; made: number }> {
  const { rows } = await db.execute<{ looked: number; made: number }>(sql`
    WITH mark AS (
      -- Often there is nothing, and finding that out locks nothing.
      SELECT xact, id FROM event_marks WHERE name = 'webhooks' AND (${sql.raw(undispatchedEvents)}) IS NOT NULL
      FOR UPDATE SKIP LOCKED
    ), fresh AS (
      SELECT * FROM events e
      WHERE ${sql.raw(afterMark('mark'))} AND e.xact < ${commitHorizon}
      ORDER BY e.xact, e.id LIMIT ${eventsAtOnce}
    ), planned AS (
      INSERT INTO webhook_deliveries (webhook_id, account_id, event_id)
      SELECT w.id, w.account_id, e.id FROM fresh e JOIN webhooks w ON w.account_id = e.account_id
      WHERE w.enabled AND e.at >= w.created_at AND CASE WHEN e.type = 'webhook.test' THEN e.data->>'webhookId' = w.id
        ELSE (w.workspace_id IS NULL OR w.workspace_id = e.workspace_id)
          AND (cardinality(w.types) = 0 OR e.type = ANY (w.types)
            OR split_part(e.type, '.', 1) || '.*' = ANY (w.types)) END
      ON CONFLICT DO NOTHING RETURNING id
    ), newest AS (SELECT xact, id FROM fresh ORDER BY xact DESC, id DESC LIMIT 1),
    marked AS (UPDATE event_marks m SET xact = newest.xact, id = newest.id FROM newest WHERE m.name = 'webhooks')
    SELECT (SELECT count(*)::int FROM fresh) AS looked, (SELECT count(*)::int FROM planned) AS made`);
  return rows[0] ?? { looked: 0, made: 0 };
}

/** A delivery that has been taken to be tried now. */
export interface TakenDelivery {
  id: number;
  /** Which try it is, from 1: with the id, what a later statement names it by. */
  tries: number;
  /** Tries before it that failed. */
  failures: number;
  webhook: Pick<Webhook, 'id' | 'accountId' | 'url' | 'secretSealed' | 'oldSecretSealed' | 'oldSecretUntil'>;
  event: { key: string; type: EventType; at: Date; data: EventData };
}

/** How many deliveries a process may have under way. */
export interface DeliveryLimits {
  all: number;
  /** Of one account, and of one webhook: one whose address hangs does not hold up the others. */
  account: number;
  webhook: number;
}

const counts = (busy: ReadonlyMap<string, number>): SQL =>
  sql`(SELECT * FROM unnest(
    ${sql.param([...busy.keys()])}::text[], ${sql.param([...busy.values()])}::int[]) AS it (id, n))`;

/**
 * Takes deliveries that are due, of each webhook the ones that have waited longest. Who takes one and is not heard of
 * again within `patienceSeconds` loses it: it is then tried again, with the same id.
 * @param busy how many this process has under way, by account and by webhook
 */
export async function takeDeliveries(
  db: Executor,
  most: DeliveryLimits,
  busy: { all: number; accounts: ReadonlyMap<string, number>; webhooks: ReadonlyMap<string, number> },
  patienceSeconds: number,
): Promise<TakenDelivery[]> {
  const { rows: due } = await db.execute<{ id: string }>(sql`
    -- From one webhook that has something waiting to the next by the index, however much that is.
    WITH RECURSIVE hook AS (
      (SELECT webhook_id AS id, next_at FROM webhook_deliveries WHERE state = 'waiting'
        ORDER BY webhook_id, next_at LIMIT 1)
      UNION ALL
      SELECT following.* FROM hook CROSS JOIN LATERAL (
        SELECT webhook_id, next_at FROM webhook_deliveries WHERE state = 'waiting' AND webhook_id > hook.id
        ORDER BY webhook_id, next_at LIMIT 1) following
    ), chosen AS (
      SELECT d.id, d.next_at, w.account_id,
        row_number() OVER (PARTITION BY w.account_id ORDER BY d.next_at, d.id) AS place
      FROM hook JOIN webhooks w ON w.id = hook.id LEFT JOIN ${counts(busy.webhooks)} sent ON sent.id = w.id
      CROSS JOIN LATERAL (
        SELECT id, next_at FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'waiting' AND next_at <= now()
        ORDER BY next_at, id LIMIT greatest(0, ${most.webhook} - coalesce(sent.n, 0)) FOR UPDATE SKIP LOCKED
      ) d
      WHERE w.enabled AND hook.next_at <= now()
    )
    UPDATE webhook_deliveries SET tries = tries + 1, next_at = now() + make_interval(secs => ${patienceSeconds})
    WHERE id IN (
      SELECT chosen.id FROM chosen LEFT JOIN ${counts(busy.accounts)} sent ON sent.id = chosen.account_id
      WHERE chosen.place <= ${most.account} - coalesce(sent.n, 0)
      -- Whoever has least under way comes first, or some whose addresses hang would have every place that comes free.
      ORDER BY chosen.place + coalesce(sent.n, 0), chosen.next_at LIMIT ${Math.max(0, most.all - busy.all)})
    RETURNING id`);
  if (due.length === 0) return [];
  return await db
    .select({
      id: webhookDeliveries.id,
      tries: webhookDeliveries.tries,
      failures: webhookDeliveries.failures,
      webhook: {
        id: webhooks.id,
        accountId: webhooks.accountId,
        url: webhooks.url,
        secretSealed: webhooks.secretSealed,
        oldSecretSealed: webhooks.oldSecretSealed,
        oldSecretUntil: webhooks.oldSecretUntil,
      },
      event: { key: events.key, type: sql<EventType>`${events.type}`, at: events.at, data: events.data },
    })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .innerJoin(events, eq(events.id, webhookDeliveries.eventId))
    .where(sql`${webhookDeliveries.id} = ANY (${sql.param(due.map((it) => it.id))}::int8[])`);
}

/** What became of a try. */
export type Tried =
  | { outcome: 'delivered' }
  | { outcome: 'again'; afterMs: number }
  /** No further try; `stop` when the webhook is not to be used any more. */
  | { outcome: 'failed'; stop?: string };

const logMax = 20;
/** A webhook through which nothing came for this long is stopped. */
const failingDaysMax = 5;

/** Writes what became of a try, unless somebody else has taken the delivery meanwhile, or it was asked for again. */
export const settleDelivery = (
  db: Database,
  { id, tries, webhook }: Pick<TakenDelivery, 'id' | 'tries' | 'webhook'>,
  record: DeliveryTry,
  tried: Tried,
): Promise<void> =>
  inTransaction(db, async (tx) => {
    // The webhook first, as whoever changes or removes it does: nobody then waits for the other one.
    const [now] = await tx
      .select({ url: webhooks.url })
      .from(webhooks)
      .where(eq(webhooks.id, webhook.id))
      .for('no key update');
    if (!now) return;
    const { log } = webhookDeliveries;
    const { rowCount } = await tx
      .update(webhookDeliveries)
      .set({
        state: tried.outcome === 'again' ? 'waiting' : tried.outcome,
        log: sql`CASE WHEN jsonb_array_length(${log}) >= ${logMax} THEN ${log} - 0 ELSE ${log} END || ${JSON.stringify(record)}::jsonb`,
        ...(tried.outcome === 'again'
          ? {
              failures: sql`${webhookDeliveries.failures} + 1`,
              nextAt: sql`now() + make_interval(secs => ${tried.afterMs / 1000})`,
            }
          : {}),
      })
      .where(
        and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.tries, tries), eq(webhookDeliveries.state, 'waiting')),
      );
    if (rowCount !== 1) return;
    // What came of an address that is not the webhook's any more, says nothing of it.
    if (now.url !== webhook.url) return;
    if (tried.outcome === 'delivered') {
      await tx
        .update(webhooks)
        .set({ failingSince: null })
        .where(and(eq(webhooks.id, webhook.id), sql`${webhooks.failingSince} IS NOT NULL`));
      return;
    }
    const [failing] = await tx
      .update(webhooks)
      .set({ failingSince: sql`coalesce(${webhooks.failingSince}, now())` })
      .where(eq(webhooks.id, webhook.id))
      .returning({
        forTooLong: sql<boolean>`${webhooks.failingSince} < now() - make_interval(days => ${failingDaysMax})`,
      });
    if (tried.outcome !== 'failed') return;
    const forTooLong = failing?.forTooLong ? `nothing has come through for ${failingDaysMax} days` : undefined;
    const because = tried.stop ?? forTooLong;
    if (because !== undefined) await stopWebhook(tx, webhook.id, because);
  });

export interface ShownDelivery {
  id: number;
  eventKey: string;
  type: string;
  state: (typeof webhookDeliveries.$inferSelect)['state'];
  createdAt: Date;
  nextAt: Date;
  log: DeliveryTry[];
}

/** A webhook's deliveries, newest first. */
export const listDeliveries = async (
  db: Executor,
  webhookId: string,
  { before, limit }: { before?: number; limit: number },
): Promise<ShownDelivery[]> =>
  await db
    .select({
      id: webhookDeliveries.id,
      eventKey: events.key,
      type: events.type,
      state: webhookDeliveries.state,
      createdAt: webhookDeliveries.createdAt,
      nextAt: webhookDeliveries.nextAt,
      log: webhookDeliveries.log,
    })
    .from(webhookDeliveries)
    .innerJoin(events, eq(events.id, webhookDeliveries.eventId))
    .where(
      and(
        eq(webhookDeliveries.webhookId, webhookId),
        before === undefined ? undefined : lt(webhookDeliveries.id, before),
      ),
    )
    .orderBy(desc(webhookDeliveries.id))
    .limit(limit);

/** Has a delivery made again, with all its tries; false when the webhook has no such delivery. */
export async function redeliver(db: Executor, webhookId: string, deliveryId: number): Promise<boolean> {
  const { rowCount } = await db
    .update(webhookDeliveries)
    // A try that is under way was not asked for: what becomes of it is not what becomes of this.
    .set({ state: 'waiting', failures: 0, tries: sql`${webhookDeliveries.tries} + 1`, nextAt: sql`now()` })
    .where(and(eq(webhookDeliveries.id, deliveryId), eq(webhookDeliveries.webhookId, webhookId)));
  return rowCount === 1;
}

const givenUpAtOnce = 2000;

/**
 * Ends what waits for webhooks that are not used any more, some thousand at a time.
 * @returns how many that were
 */
export async function giveUpStopped(db: Executor): Promise<number> {
  const { rowCount } = await db.execute(sql`
    UPDATE webhook_deliveries d SET state = 'failed', log = d.log || jsonb_build_object('at', now(), 'ms', 0,
      'error', coalesce(nullif(w.stopped_because, ''), 'the webhook was stopped'))
    FROM webhooks w WHERE w.id = d.webhook_id AND d.id IN (
      SELECT waiting.id FROM webhooks w CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'waiting'
          LIMIT ${givenUpAtOnce} FOR UPDATE SKIP LOCKED
      ) waiting WHERE NOT w.enabled LIMIT ${givenUpAtOnce})`);
  return rowCount ?? 0;
}

/** How far behind webhooks are: what waits, what should have been sent, and what nobody has even looked at. */
export interface DeliveryLag {
  waiting: number;
  oldestDueSeconds: number;
  oldestUndispatchedSeconds: number;
}

export async function readDeliveryLag(db: Executor): Promise<DeliveryLag> {
  const { rows } = await db.execute<DeliveryLag & Record<string, unknown>>(sql`
    SELECT count(*)::int AS waiting,
      greatest(0, coalesce(extract(epoch FROM now() - min(d.next_at)), 0))::float8 AS "oldestDueSeconds",
      coalesce((SELECT extract(epoch FROM now() - e.at) FROM events e
        WHERE ${sql.raw(undispatched)}
        ORDER BY e.xact, e.id LIMIT 1), 0)::float8 AS "oldestUndispatchedSeconds"
    FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE d.state = 'waiting' AND w.enabled`);
  return rows[0] ?? { waiting: 0, oldestDueSeconds: 0, oldestUndispatchedSeconds: 0 };
}
