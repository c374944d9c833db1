import { eq, sql } from 'drizzle-orm';
import { type Executor } from '../database.ts';
import { accountShares } from '../tables/builds.ts';
import { type DefaultLimits } from './dispatch.ts';

export type AccountLimits = Pick<typeof accountShares.$inferSelect, 'weight' | 'runningMax' | 'waitingMax'>;

/** Sets what an account may use; what is left out stays as it is. */
export async function putAccountLimits(
  db: Executor,
  accountId: string,
  limits: Partial<AccountLimits>,
): Promise<AccountLimits> {
  const [row] = await db
    .insert(accountShares)
    .values({ accountId, ...limits })
    .onConflictDoUpdate({ target: accountShares.accountId, set: { accountId, ...limits } })
    .returning({
      weight: accountShares.weight,
      runningMax: accountShares.runningMax,
      waitingMax: accountShares.waitingMax,
    });
  if (!row) throw new Error('an upsert gave no row');
  return row;
}

/** How many builds of an account wait, counted no further than one beyond `waitingMax` (0 for no limit). */
export async function countWaiting(
  db: Executor,
  accountId: string,
  defaults: DefaultLimits,
): Promise<{ waiting: number; waitingMax: number }> {
  const [share] = await db
    .select({ waitingMax: accountShares.waitingMax })
    .from(accountShares)
    .where(eq(accountShares.accountId, accountId));
  const waitingMax = share?.waitingMax ?? defaults.waitingMax;
  if (waitingMax === 0) return { waiting: 0, waitingMax };
  const { rows } = await db.execute<{ n: number }>(sql`
    SELECT count(*)::int AS n FROM (
      SELECT 1 FROM builds WHERE account_id = ${accountId} AND state = 'queued' AND admitted_at IS NULL LIMIT ${waitingMax + 1}) it`);
  return { waiting: rows[0]?.n ?? 0, waitingMax };
}
