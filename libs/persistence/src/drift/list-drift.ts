import type { driftKinds } from '@kiln/domain';
import { and, count, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Viewer } from '../accounts/identity.ts';
import type { Executor } from '../db/database.ts';
import { seenBy } from '../images/image-queries.ts';
import { type Image, images } from '../tables/images.ts';

/** Which images to list: of one workspace, and that differ in one way. */
export interface DriftFilter {
  workspaceId?: string | undefined;
  kind?: (typeof driftKinds)[number] | 'stale' | undefined;
}

const differs = sql`(${images.drift} IS NOT NULL OR ${images.stale})`;

/** Images that differ from what their registry holds, or that are stale, the newest first. */
export async function listDrift(
  db: Executor,
  viewer: Viewer,
  { workspaceId, kind }: DriftFilter,
  limit: number,
): Promise<{ total: number; images: Image[] }> {
  const kindIs = kind === 'stale' ? eq(images.stale, true) : sql`${images.drift}->>'kind' = ${kind}`;
  const where = and(
    seenBy(viewer),
    differs,
    inArray(images.status, ['ACTIVE', 'ERROR']),
    workspaceId === undefined ? undefined : eq(images.workspaceId, workspaceId),
    kind === undefined ? undefined : kindIs,
  );
  const [rows, [counted]] = await Promise.all([
    db.select().from(images).where(where).orderBy(desc(images.createdAt), desc(images.id)).limit(limit),
    db.select({ total: count() }).from(images).where(where),
  ]);
  return { total: counted?.total ?? 0, images: rows };
}
