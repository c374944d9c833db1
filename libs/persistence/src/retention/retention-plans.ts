import { randomUUID } from 'node:crypto';
import { bytesFreed, removable } from '@kiln/domain';
import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { type Image, images } from '../tables/images.ts';
import { type PlannedRemoval, retentionPlans } from '../tables/retention.ts';
import { readRetained } from './retained-images.ts';
import { findRetention, type RetentionPlace } from './retention-rules.ts';
import { deprecate } from './retiring.ts';

export type RetentionPlan = typeof retentionPlans.$inferSelect;
/** How long a plan can be run. */
const planHours = 24;
/** More are for the next plan. */
const plannedMax = 5000;

/** Finds out which images of a workspace may go by its rules, and keeps the list. */
export async function makePlan(db: Database, place: RetentionPlace & { userId: string }): Promise<RetentionPlan> {
  const { accountId, workspaceId } = place;
  const rules = await findRetention(db, place);
  const all = await readRetained(db, accountId, workspaceId);
  const retiring = new Set(all.flatMap((it) => (it.isRetiring ? [it.id] : [])));
  const now = new Date();
  const first = [...removable(all, rules, now).keys()].filter((id) => !retiring.has(id)).slice(0, plannedMax);
  // What is for the next plan keeps its bases until then.
  const planned: PlannedRemoval[] = [...removable(all, rules, now, new Set(first))]
    .filter(([id]) => !retiring.has(id))
    .map(([id, reason]) => ({ id, reason }));
  const bytes = bytesFreed(all, new Set([...planned.map((it) => it.id), ...retiring]));
  return inTransaction(db, async (tx) => {
    await tx
      .delete(retentionPlans)
      .where(
        and(
          eq(retentionPlans.accountId, accountId),
          eq(retentionPlans.workspaceId, workspaceId),
          sql`${retentionPlans.createdAt} < now() - interval '30 days'`,
        ),
      );
    const [plan] = await tx
      .insert(retentionPlans)
      .values({ id: `plan-${randomUUID()}`, ...place, images: planned, bytes })
      .returning();
    if (!plan) throw new Error('an insert has one row');
    return plan;
  });
}

export async function findPlan(db: Executor, { accountId, workspaceId }: RetentionPlace, id: string) {
  const [row] = await db
    .select()
    .from(retentionPlans)
    .where(
      and(
        eq(retentionPlans.id, id),
        eq(retentionPlans.accountId, accountId),
        eq(retentionPlans.workspaceId, workspaceId),
      ),
    );
  return row;
}

/** Images by their ids, as far as they are still there. */
export const findPlanned = async (db: Executor, accountId: string, planned: readonly PlannedRemoval[]) =>
  planned.length === 0
    ? []
    : db
        .select()
        .from(images)
        .where(
          and(
            eq(images.accountId, accountId),
            inArray(
              images.id,
              planned.map((it) => it.id),
            ),
          ),
        );

/** Images of a workspace that are on their way out, those that go on first first. */
export const listRetiring = (db: Executor, { accountId, workspaceId }: RetentionPlace): Promise<Image[]> =>
  db
    .select()
    .from(images)
    .where(
      and(
        eq(images.accountId, accountId),
        eq(images.workspaceId, workspaceId),
        sql`${images.retireAt} IS NOT NULL`,
        inArray(images.status, ['ACTIVE', 'ERROR']),
      ),
    )
    .orderBy(images.retireAt, images.id);

/**
 * Deprecates what a plan lists, once: those images that may still go.
 * @returns which, or why none: 'run' before, or 'old'
 */
export async function runPlan(db: Database, plan: RetentionPlan): Promise<{ ids: string[] } | 'run' | 'old'> {
  const rules = await findRetention(db, plan);
  const all = await readRetained(db, plan.accountId, plan.workspaceId);
  const allowed = removable(all, rules, new Date(), new Set(plan.images.map((it) => it.id)));
  return inTransaction(db, async (tx) => {
    const [taken] = await tx
      .update(retentionPlans)
      .set({ runAt: sql`now()` })
      .where(
        and(
          eq(retentionPlans.id, plan.id),
          isNull(retentionPlans.runAt),
          sql`${retentionPlans.createdAt} > now() - make_interval(hours => ${planHours})`,
        ),
      )
      .returning();
    if (!taken) return (await findPlan(tx, plan, plan.id))?.runAt ? 'run' : 'old';
    const ids: string[] = [];
    for (const { id } of plan.images) {
      const reason = allowed.get(id);
      if (reason !== undefined && (await deprecate(tx, id, reason, rules))) ids.push(id);
    }
    return { ids };
  });
}
