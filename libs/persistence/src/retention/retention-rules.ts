import { noRetention, type RetentionRules } from '@kiln/domain';
import { and, eq, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { retentionRules } from '../tables/retention.ts';

/** A workspace of an account. */
export interface RetentionPlace {
  accountId: string;
  workspaceId: string;
}

/** How long a workspace keeps its images. */
export async function findRetention(db: Executor, { accountId, workspaceId }: RetentionPlace): Promise<RetentionRules> {
  const [row] = await db
    .select({ rules: retentionRules.rules })
    .from(retentionRules)
    .where(and(eq(retentionRules.accountId, accountId), eq(retentionRules.workspaceId, workspaceId)));
  return row?.rules ?? noRetention;
}

export const putRetention = async (db: Executor, place: RetentionPlace, rules: RetentionRules): Promise<void> =>
  void (await db
    .insert(retentionRules)
    .values({ ...place, rules })
    .onConflictDoUpdate({
      target: retentionRules.workspaceId,
      set: { rules, updatedAt: sql`now()` },
      setWhere: eq(retentionRules.accountId, place.accountId),
    }));
