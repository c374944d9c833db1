import type { UpdateImageGroupBody } from '@kiln/contract';
import { and, eq, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { type Viewer, visibleIn } from '../accounts/identity.ts';
import { heldImage, isUuid } from './image-queries.ts';
import { deleteImageIn } from './images.ts';
import type { Image } from '../tables/images.ts';
import { workspaces } from '../tables/identity.ts';
import { imageGroups, images } from '../tables/images.ts';

export type ImageGroup = typeof imageGroups.$inferSelect;

/** A group of one of a project's workspaces that the viewer sees, whatever is in it. */
export async function findImageGroup(
  db: Executor,
  viewer: Viewer,
  projectId: string,
  id: string,
): Promise<ImageGroup | undefined> {
  if (!isUuid(id)) return undefined;
  const [found] = await db
    .select({ group: imageGroups })
    .from(imageGroups)
    .innerJoin(workspaces, eq(workspaces.id, imageGroups.workspaceId))
    .where(
      and(
        eq(imageGroups.id, id),
        eq(imageGroups.accountId, viewer.accountId),
        eq(workspaces.projectId, projectId),
        visibleIn(viewer, imageGroups.workspaceId),
      ),
    );
  return found?.group;
}

/** All images of a group that are there, whoever may see them. */
export const imagesOfGroup = async (db: Executor, id: string): Promise<Image[]> =>
  await db
    .select()
    .from(images)
    .where(and(eq(images.groupId, id), heldImage))
    .orderBy(images.id);

/** Sets what is given. */
export async function updateImageGroup(db: Executor, id: string, change: UpdateImageGroupBody): Promise<void> {
  await db
    .update(imageGroups)
    .set({
      ...(change.read_me === undefined ? {} : { readMe: change.read_me }),
      ...(change.tags === undefined ? {} : { tags: change.tags }),
      updatedAt: sql`now()`,
    })
    .where(eq(imageGroups.id, id));
}

/** Deletes images and what was written about their group, all or none. */
export const deleteImageGroup = (db: Database, id: string, members: Image[], purge: boolean): Promise<void> =>
  inTransaction(db, async (tx) => {
    for (const it of members) await deleteImageIn(tx, it.id, purge);
    await tx
      .update(imageGroups)
      .set({ readMe: '', tags: [], updatedAt: sql`now()` })
      .where(eq(imageGroups.id, id));
  });
