import { removable, type RetentionRules } from '@kiln/domain';
import { and, eq, inArray, isNull, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
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

async function goOn(tx: Executor, image: Image, { deleteAfterDays, purge }: RetentionRules): Promise<void> {
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
      .where(eq(images.id, image.id));
    return;
  }
  await tx.update(images).set({ retireAt: null }).where(eq(images.id, image.id));
  await deleteImageIn(tx, image.id, purge);
}

const workspacesAtOnce = 20;
const imagesAtOnce = 200;

/**
 * Hides, and then deletes, images whose time has come, of some workspaces at a time; one that something keeps by now is
 * restored.
 * @returns how many images it looked at
 */
export async function advanceRetiring(db: Database): Promise<number> {
  const { rows } = await db.execute<{ account_id: string; workspace_id: string }>(sql`
    SELECT DISTINCT account_id, workspace_id FROM images WHERE retire_at <= now() LIMIT ${workspacesAtOnce}`);
  let done = 0;
  for (const { account_id: accountId, workspace_id: workspaceId } of rows)
    done += await inTransaction(db, async (tx) => {
      const due = await tx
        .select()
        .from(images)
        .where(
          and(eq(images.accountId, accountId), eq(images.workspaceId, workspaceId), sql`${images.retireAt} <= now()`),
        )
        .orderBy(images.retireAt)
        .limit(imagesAtOnce)
        .for('update', { skipLocked: true });
      const rules = await findRetention(tx, { accountId, workspaceId });
      const allowed = removable(await readRetained(tx, accountId, workspaceId), rules, new Date());
      for (const it of due) {
        if (it.status !== 'ACTIVE' && it.status !== 'ERROR')
          await tx.update(images).set({ retireAt: null }).where(eq(images.id, it.id));
        else if (allowed.has(it.id)) await goOn(tx, it, rules);
        else await restoreIn(tx, it.id, false);
      }
      return due.length;
    });
  return done;
}

/** Says that an image was used just now. */
export const noteImageUse = async (db: Executor, id: string): Promise<void> =>
  void (await db
    .update(images)
    .set({ usedAt: sql`now()` })
    .where(eq(images.id, id)));

export const pinImage = async (db: Executor, id: string, pinned: boolean): Promise<void> =>
  void (await db.update(images).set({ pinned }).where(eq(images.id, id)));
