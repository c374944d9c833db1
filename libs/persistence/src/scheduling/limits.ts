import { liveStates } from '@kiln/domain';
import { eq, inArray, type SQL, sql } from 'drizzle-orm';
import { isPending } from '../builds/state-conditions.ts';
import type { Executor } from '../db/database.ts';
import { accountShares } from '../tables/workers.ts';
import { heldStatus, tallies } from '../tables/images.ts';

/** What holds for accounts that the operator has given no limits of their own; 0 for none. */
export interface DefaultLimits {
  runningMax: number;
  waitingMax: number;
  dailyMax: number;
  imagesMax: number;
}

export type AccountLimits = Omit<typeof accountShares.$inferSelect, 'accountId'>;

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
      dailyMax: accountShares.dailyMax,
      imagesMax: accountShares.imagesMax,
    });
  if (!row) throw new Error('an upsert gave no row');
  return row;
}

/**
 * What an account has of all that is counted; a limit of 0 is none, and what has none is not counted. Builds under way
 * count as images.
 */
export interface Use {
  waiting: number;
  waitingMax: number;
  daily: number;
  dailyMax: number;
  images: number;
  imagesMax: number;
}

export async function countUse(db: Executor, accountId: string, defaults: DefaultLimits): Promise<Use> {
  const [own] = await db.select().from(accountShares).where(eq(accountShares.accountId, accountId));
  const limit = (name: 'waitingMax' | 'dailyMax' | 'imagesMax') => own?.[name] ?? defaults[name];
  const [waitingMax, dailyMax, imagesMax] = [limit('waitingMax'), limit('dailyMax'), limit('imagesMax')];
  const upTo = (max: number, where: SQL) =>
    max === 0
      ? sql`0`
      : sql`(SELECT count(*)::int FROM (SELECT 1 FROM builds
        WHERE account_id = ${accountId} AND ${where} LIMIT ${max + 1}) it)`;
  const inCatalogue =
    imagesMax === 0
      ? sql`0`
      : sql`(SELECT coalesce(sum(n), 0)::int FROM tallies WHERE account_id = ${accountId}
          AND (list = 'images' AND ${sql.raw(heldStatus)}
            OR list = 'jobs' AND ${inArray(tallies.status, [...liveStates])}))`;
  const { rows } = await db.execute<{ waiting: number; daily: number; images: number }>(sql`
    SELECT ${upTo(waitingMax, isPending())} AS waiting,
      ${upTo(dailyMax, sql`created_at > now() - interval '24 hours'`)} AS daily, ${inCatalogue} AS images`);
  const { waiting = 0, daily = 0, images = 0 } = rows[0] ?? {};
  return { waiting, waitingMax, daily, dailyMax, images, imagesMax };
}
