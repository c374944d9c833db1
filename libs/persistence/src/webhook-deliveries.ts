import { type EventData, type EventType } from '@kiln/schemas';
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from './database.ts';
import { type DeliveryTry, events, webhookDeliveries, webhooks } from './tables/events.ts';
import { stopWebhook, type Webhook } from './webhooks.ts';

export type { DeliveryTry } from './tables/events.ts';

const eventsAtOnce = 1000;

/**
 * Makes deliveries of the events that no webhook has been told of yet. One process does so at a time; the place up to which it is
 * done moves with the deliveries.
 * @returns how many events were looked at
 */
export const planDeliveries = (db: Database): Promise<number> =>
  inTransaction(db, async (tx) => {
    const { rows } = await tx.execute<{ looked: number }>(sql`
      WITH mark AS (SELECT xact, id FROM event_marks WHERE name = 'webhooks' FOR UPDATE SKIP LOCKED),
      fresh AS (
        SELECT e.* FROM events e, mark
        WHERE (e.xact, e.id) > (mark.xact, mark.id) AND e.xact < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xact, e.id LIMIT ${eventsAtOnce}
      ), planned AS (
        INSERT INTO webhook_deliveries (webhook_id, account_id, event_id)
        SELECT w.id, w.account_id, e.id FROM fresh e JOIN webhooks w ON w.account_id = e.account_id
        WHERE w.enabled AND e.at >= w.created_at AND CASE WHEN e.type = 'webhook.test' THEN e.data->>'WebhookId' = w.id
          ELSE (w.workspace_id IS NULL OR w.workspace_id = e.workspace_id)
            AND (cardinality(w.types) = 0 OR e.type = ANY (w.types) OR split_part(e.type, '.', 1) || '.*' = ANY (w.types)) END
        ON CONFLICT DO NOTHING
      ), newest AS (SELECT xact, id FROM fresh ORDER BY xact DESC, id DESC LIMIT 1),
      marked AS (UPDATE event_marks m SET xact = newest.xact, id = newest.id FROM newest WHERE m.name = 'webhooks')
      SELECT count(*)::int AS looked FROM fresh`);
    return rows[0]?.looked ?? 0;
  });

/** A delivery that has been taken to be tried now. */
export interface TakenDelivery {
  id: number;
  /** Which try it is, from 1: with the id, what a later statement names it by. */
  tries: number;
  /** Tries before it that failed. */
  failures: number;
  webhook: Pick<Webhook, 'id' | 'accountId' | 'url' | 'secretSealed' | 'oldSecretSealed' | 'oldSecretUntil'>;
  event: { id: number; type: EventType; at: Date; data: EventData };
}

/**
 * Takes deliveries that are due, of each webhook the ones that have waited longest. Who takes one and is not heard of again within
 * `patienceSeconds` loses it: it is then tried again, with the same id.
 * @param most how many in all, and of one webhook
 * @param busy webhooks that are left alone: they have enough to do
 */
export async function takeDeliveries(
  db: Executor,
  most: { all: number; each: number },
  busy: string[],
  patienceSeconds: number,
): Promise<TakenDelivery[]> {
  const { rows: due } = await db.execute<{ id: string }>(sql`
    UPDATE webhook_deliveries SET tries = tries + 1, next_at = now() + make_interval(secs => ${patienceSeconds})
    WHERE id IN (
      SELECT d.id FROM webhooks w CROSS JOIN LATERAL (
        SELECT id, next_at FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'waiting' AND next_at <= now()
        ORDER BY next_at, id LIMIT ${most.each} FOR UPDATE SKIP LOCKED
      ) d
      WHERE w.enabled AND NOT w.id = ANY (${sql.param(busy)}::text[]) ORDER BY d.next_at LIMIT ${most.all})
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
      event: { id: events.id, type: sql<EventType>`${events.type}`, at: events.at, data: events.data },
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

/** Writes what became of a try, unless somebody else has taken the delivery meanwhile. */
export const settleDelivery = (
  db: Database,
  { id, tries, webhook }: Pick<TakenDelivery, 'id' | 'tries' | 'webhook'>,
  record: DeliveryTry,
  tried: Tried,
): Promise<void> =>
  inTransaction(db, async (tx) => {
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
    const stop =
      tried.outcome === 'failed' && tried.stop !== undefined
        ? tried.stop
        : failing?.forTooLong
          ? `nothing has come through for ${failingDaysMax} days`
          : undefined;
    if (stop !== undefined) await stopWebhook(tx, webhook.id, stop);
  });

export interface ShownDelivery {
  id: number;
  eventId: number;
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
      eventId: webhookDeliveries.eventId,
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
    .set({ state: 'waiting', failures: 0, nextAt: sql`now()` })
    .where(and(eq(webhookDeliveries.id, deliveryId), eq(webhookDeliveries.webhookId, webhookId)));
  return rowCount === 1;
}

/** How many deliveries wait, and for how long the one has that is due and waited longest. */
export async function lookAtDeliveries(db: Executor): Promise<{ waiting: number; oldestSeconds: number }> {
  const { rows } = await db.execute<{ waiting: number; oldest: number }>(sql`
    SELECT count(*)::int AS waiting, coalesce(extract(epoch FROM now() - min(next_at)), 0)::float AS oldest
    FROM webhook_deliveries WHERE state = 'waiting'`);
  return { waiting: rows[0]?.waiting ?? 0, oldestSeconds: Math.max(0, rows[0]?.oldest ?? 0) };
}
