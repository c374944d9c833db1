import { type EventData } from '@kiln/schemas';
import { and, count, eq, sql } from 'drizzle-orm';
import { type Executor } from './database.ts';
import { events, webhookDeliveries, webhooks } from './tables/events.ts';

export type Webhook = typeof webhooks.$inferSelect;
export type NewWebhook = Pick<
  Webhook,
  'id' | 'accountId' | 'url' | 'description' | 'types' | 'workspaceId' | 'secretSealed'
>;

const own = (accountId: string, id: string) => and(eq(webhooks.accountId, accountId), eq(webhooks.id, id));

/** Adds a webhook unless the account has as many as it may; false then. */
export async function insertWebhook(db: Executor, row: NewWebhook, max: number): Promise<boolean> {
  const [there] = await db.select({ n: count() }).from(webhooks).where(eq(webhooks.accountId, row.accountId));
  if ((there?.n ?? 0) >= max) return false;
  await db.insert(webhooks).values(row);
  return true;
}

/** An account's webhooks, each with how many deliveries it has to make. */
export const listWebhooks = async (db: Executor, accountId: string): Promise<(Webhook & { waiting: number })[]> => {
  const rows = await db
    .select({
      webhook: webhooks,
      waiting: sql<number>`(SELECT count(*)::int FROM webhook_deliveries d WHERE d.webhook_id = webhooks.id AND d.state = 'waiting')`,
    })
    .from(webhooks)
    .where(eq(webhooks.accountId, accountId))
    .orderBy(webhooks.createdAt);
  return rows.map(({ webhook, waiting }) => ({ ...webhook, waiting }));
};

export async function findWebhook(db: Executor, accountId: string, id: string): Promise<Webhook | undefined> {
  const [row] = await db.select().from(webhooks).where(own(accountId, id));
  return row;
}

/** Changes a webhook as somebody asked; what made Kiln stop using it is forgotten with that. False when there is no such webhook. */
export async function changeWebhook(
  db: Executor,
  accountId: string,
  id: string,
  change: Partial<Pick<Webhook, 'url' | 'description' | 'types' | 'enabled'>>,
): Promise<boolean> {
  const anew = change.enabled === undefined ? {} : { stoppedBecause: '', failingSince: null };
  const { rowCount } = await db
    .update(webhooks)
    .set({ ...change, ...anew, updatedAt: sql`now()` })
    .where(own(accountId, id));
  if (rowCount !== 1) return false;
  if (change.enabled === false) await giveUpDeliveries(db, id, 'the webhook was stopped');
  return true;
}

/** Gives a webhook a new secret; the one before signs too until then. */
export async function replaceWebhookSecret(
  db: Executor,
  accountId: string,
  id: string,
  secretSealed: string,
  oldUntil: Date,
): Promise<boolean> {
  const { rowCount } = await db
    .update(webhooks)
    .set({
      oldSecretSealed: sql`${webhooks.secretSealed}`,
      oldSecretUntil: oldUntil,
      secretSealed,
      updatedAt: sql`now()`,
    })
    .where(own(accountId, id));
  return rowCount === 1;
}

export async function removeWebhook(db: Executor, accountId: string, id: string): Promise<boolean> {
  const { rowCount } = await db.delete(webhooks).where(own(accountId, id));
  return rowCount === 1;
}

/** Stops using a webhook that does not work. */
export async function stopWebhook(db: Executor, id: string, because: string): Promise<void> {
  await db.update(webhooks).set({ enabled: false, stoppedBecause: because }).where(eq(webhooks.id, id));
  await giveUpDeliveries(db, id, because);
}

const giveUpDeliveries = (db: Executor, webhookId: string, because: string) =>
  db
    .update(webhookDeliveries)
    .set({
      state: 'failed',
      log: sql`${webhookDeliveries.log} || jsonb_build_object('at', now(), 'ms', 0, 'error', ${because}::text)`,
    })
    .where(and(eq(webhookDeliveries.webhookId, webhookId), eq(webhookDeliveries.state, 'waiting')));

/** Tells an event of a webhook alone. */
export async function tellTestEvent(
  db: Executor,
  { id, accountId, workspaceId }: Pick<Webhook, 'id' | 'accountId' | 'workspaceId'>,
  userId: string,
): Promise<number> {
  const data: EventData = { WebhookId: id };
  const row = { accountId, workspaceId: workspaceId ?? '', userId, visibility: 'PRIVATE' as const };
  const [event] = await db
    .insert(events)
    .values({ ...row, type: 'webhook.test', data })
    .returning({ id: events.id });
  return event?.id ?? 0;
}
