import { removable, type RetentionRules } from '@kiln/domain';
import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { lastAttempts, startedFrom } from '../builds/last-attempts.ts';
import { isLiveSql } from '../builds/state-conditions.ts';
import { deleteImageIn } from '../images/images.ts';
import { type Image, images } from '../tables/images.ts';
import { readRetained } from './retained-images.ts';
import { findRetention } from './retention-rules.ts';

const inDays = (days: number) => sql`now() + make_interval(days => ${days})`;
const isThere = inArray(images.status, ['ACTIVE', 'ERROR']);

/** Begins to take an image out of the catalogue; false when it is on its way already, or not there. */
export async function deprecate(
  tx: Executor,
  id: string,
  reason: string,
  { hideAfterDays }: RetentionRules,
): Promise<boolean> {
  const [image] = await tx
    .select()
    .from(images)
    .where(and(eq(images.id, id), isNull(images.retiring), isThere))
    .for('update');
  if (!image) return false;
  const { visibility, hidden, publicById } = image;
  const message = `deprecated: ${reason}`;
  await tx
    .update(images)
    .set({
      retiring: { stage: 'deprecated', reason, message, before: { visibility, hidden, publicById } },
      retireAt: inDays(hideAfterDays),
      ...(image.statusMessage === '' ? { statusMessage: message } : {}),
      updatedAt: sql`now()`,
    })
    .where(eq(images.id, id));
  return true;
}

/** Gives an image back what it was before it was deprecated; false when it was not. */
export const restore = (db: Database, id: string, isWanted: boolean): Promise<boolean> =>
  inTransaction(db, (tx) => restoreIn(tx, id, isWanted));

async function restoreIn(tx: Executor, id: string, isWanted: boolean): Promise<boolean> {
  const [image] = await tx
    .select()
    .from(images)
    .where(and(eq(images.id, id), isThere))
    .for('update');
  if (!image?.retiring) return false;
  const { before, message } = image.retiring;
  await tx
    .update(images)
    .set({
      ...before,
      retiring: null,
      retireAt: null,
      ...(isWanted ? { usedAt: sql`now()` } : {}),
      ...(image.statusMessage === message ? { statusMessage: '' } : {}),
      updatedAt: sql`now()`,
    })
    .where(eq(images.id, id));
  return true;
}

/**
 * Whether a build that runs, or an image that is there, was made from an image of which there is no other entry that stays:
 * asked again in the very moment of its end, for what has begun since the rules were asked.
 */
async function isNeeded(tx: Executor, image: Image): Promise<boolean> {
  const name = `${image.host}/${image.repository}@${image.digest ?? ''}`;
  const { rowCount } = await tx.execute(sql`
    SELECT FROM ${lastAttempts} WHERE (${startedFrom('id', name)} OR ${startedFrom('index', name)}) AND b.account_id = ${image.accountId}
      AND (${sql.raw(isLiveSql('b.'))} OR EXISTS (SELECT FROM images m
        WHERE m.build_id = b.id AND m.status IN ('ACTIVE', 'ERROR')))
      AND NOT EXISTS (SELECT FROM images o WHERE o.account_id = ${image.accountId} AND o.host = ${image.host}
        AND o.repository = ${image.repository} AND o.digest = ${image.digest} AND o.id <> ${image.id}
        AND o.status = 'ACTIVE' AND o.retiring IS NULL)
    LIMIT 1`);
  return rowCount === 1;
}

/** How soon one that is needed is looked at again. */
const neededHours = 1;

async function goOn(tx: Executor, image: Image, { deleteAfterDays, purge }: RetentionRules): Promise<void> {
  const isThis = eq(images.id, image.id);
  if (image.retiring?.stage === 'deprecated') {
    await tx
      .update(images)
      .set({
        retiring: { ...image.retiring, stage: 'hidden' },
        retireAt: inDays(deleteAfterDays),
        visibility: 'PRIVATE',
        hidden: true,
        publicById: false,
        updatedAt: sql`now()`,
      })
      .where(isThis);
  } else if (await isNeeded(tx, image)) {
    await tx
      .update(images)
      .set({ retireAt: sql`now() + make_interval(hours => ${neededHours})` })
      .where(isThis);
  } else {
    await tx.update(images).set({ retireAt: null }).where(isThis);
    await deleteImageIn(tx, image.id, purge);
  }
}

const workspacesAtOnce = 20;

/** Of one workspace, those whose time has come. */
async function advanceWorkspace(db: Database, accountId: string, workspaceId: string): Promise<number> {
  const rules = await findRetention(db, { accountId, workspaceId });
  const all = await readRetained(db, accountId, workspaceId);
  const allowed = removable(all, rules, new Date(), new Set());
  const isDue = and(
    eq(images.accountId, accountId),
    eq(images.workspaceId, workspaceId),
    sql`${images.retireAt} <= now()`,
  );
  const due = await db.select({ id: images.id }).from(images).where(isDue).orderBy(images.retireAt);
  for (const { id } of due)
    await inTransaction(db, async (tx) => {
      const [it] = await tx
        .select()
        .from(images)
        .where(and(isDue, eq(images.id, id)))
        .for('update', { skipLocked: true });
      if (!it) return;
      const readAt = all.find((image) => image.id === id)?.usedAt ?? null;
      const wasUsed = it.usedAt !== null && it.usedAt.getTime() !== readAt?.getTime();
      if (it.status !== 'ACTIVE' && it.status !== 'ERROR')
        await tx.update(images).set({ retireAt: null }).where(eq(images.id, id));
      else if (allowed.has(id) && !wasUsed) await goOn(tx, it, rules);
      else await restoreIn(tx, id, false);
    });
  return due.length;
}

/**
 * Hides, and then deletes, images whose time has come, of some workspaces at a time; one that something keeps by now is
 * restored.
 * @returns how many images it looked at
 */
export async function advanceRetiring(db: Database): Promise<number> {
  const { rows } = await db.execute<{ account_id: string; workspace_id: string }>(sql`
    SELECT DISTINCT account_id, workspace_id FROM images WHERE retire_at <= now() LIMIT ${workspacesAtOnce}`);
  let done = 0;
  const failures: unknown[] = [];
  for (const it of rows)
    done += await advanceWorkspace(db, it.account_id, it.workspace_id).catch((error: unknown) => {
      failures.push(error);
      return 0;
    });
  // One that cannot be read does not keep the others waiting.
  if (failures.length > 0) throw failures[0];
  return done;
}

/** Says that an image was used just now; false when it is gone. */
export async function noteImageUse(db: Executor, id: string): Promise<boolean> {
  const { rowCount } = await db
    .update(images)
    .set({ usedAt: sql`now()` })
    .where(and(eq(images.id, id), isThere));
  return rowCount === 1;
}

export const pinImage = async (db: Executor, id: string, pinned: boolean): Promise<void> =>
  void (await db.update(images).set({ pinned }).where(eq(images.id, id)));
