import type { EventData } from '@kiln/domain';
import { and, count, eq, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { lockByName } from '../db/locks.ts';
import { events, webhooks } from '../tables/events.ts';

export type Webhook = typeof webhooks.$inferSelect;
export type NewWebhook = Pick<
  Webhook,
  'id' | 'accountId' | 'url' | 'description' | 'types' | 'workspaceId' | 'secretSealed'
>;

const own = (accountId: string, id: string) => and(eq(webhooks.accountId, accountId), eq(webhooks.id, id));

/** Adds a webhook unless the account has as many as it may; false then. */
export const insertWebhook = (db: Database, row: NewWebhook, max: number): Promise<boolean> =>
  inTransaction(db, async (tx) => {
    // One at a time for each account, or two would both find room.
    await lockByName(tx, `webhooks ${row.accountId}`);
    const [there] = await tx.select({ n: count() }).from(webhooks).where(eq(webhooks.accountId, row.accountId));
    if ((there?.n ?? 0) >= max) return false;
    await tx.insert(webhooks).values(row);
    return true;
  });

/** Waiting deliveries are counted up to here. */
const countedMax = 1000;

/** An account's webhooks, each with how many deliveries it has to make. */
export const listWebhooks = async (db: Executor, accountId: string): Promise<(Webhook & { waiting: number })[]> => {
  const rows = await db
    .select({
      webhook: webhooks,
      waiting: sql<number>`(SELECT count(*)::int FROM (SELECT 1 FROM webhook_deliveries d
        WHERE d.webhook_id = webhooks.id AND d.state = 'waiting' LIMIT ${sql.raw(String(countedMax))}) it)`,
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

/**
 * Changes a webhook as somebody asked; what made Kiln stop using it is forgotten with that. False when there is no such
 * webhook.
 */
export async function changeWebhook(
  db: Executor,
  accountId: string,
  id: string,
  change: Partial<Pick<Webhook, 'url' | 'description' | 'types' | 'enabled'>>,
): Promise<boolean> {
  const anew = {
    ...(change.enabled === undefined ? {} : { stoppedBecause: '' }),
    ...(change.enabled === undefined && change.url === undefined ? {} : { failingSince: null }),
  };
  const { rowCount } = await db
    .update(webhooks)
    .set({ ...change, ...anew, updatedAt: sql`now()` })
    .where(own(accountId, id));
  return rowCount === 1;
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
export const stopWebhook = (db: Executor, id: string, because: string) =>
  db.update(webhooks).set({ enabled: false, stoppedBecause: because }).where(eq(webhooks.id, id));

/** Tells an event of a webhook alone. */
export async function emitTestEvent(
  db: Executor,
  { id, accountId, workspaceId }: Pick<Webhook, 'id' | 'accountId' | 'workspaceId'>,
  userId: string,
): Promise<string> {
  const data: EventData = { kind: 'webhook', webhookId: id };
  const row = { accountId, workspaceId: workspaceId ?? '', userId, visibility: 'PRIVATE' as const };
  const [event] = await db
    .insert(events)
    .values({ ...row, type: 'webhook.test', data })
    .returning({ key: events.key });
  return event?.key ?? '';
}
