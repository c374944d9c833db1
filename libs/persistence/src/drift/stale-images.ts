import { inArray, sql } from 'drizzle-orm';
import { lastAttempts, startedFrom } from '../builds/last-attempts.ts';
import type { Database } from '../db/database.ts';
import { images } from '../tables/images.ts';
import type { WatchedTag } from './watched-tags.ts';

/** A base may have very many images: they are changed some at a time, always in the same order. */
const atOnce = 500;

/** Marks images as stale one of whose bases has another image by now, and no longer those of which none has. */
export async function markStale(db: Database, { accountId, reference }: WatchedTag): Promise<void> {
  const { rows } = await db.execute<{ id: string; stale: boolean }>(sql`
    SELECT m.id, NOT m.stale AS stale FROM ${lastAttempts}
      JOIN images m ON m.build_id = b.id AND m.account_id = b.account_id AND m.status IN ('ACTIVE', 'ERROR')
    WHERE ${startedFrom('reference', reference)} AND b.account_id = ${accountId} AND m.stale <> EXISTS (
      SELECT FROM jsonb_array_elements(a.bases) base
        JOIN watched_tags w ON w.account_id = b.account_id AND w.reference = base->>'reference'
      WHERE w.digest NOT IN (split_part(base->>'id', '@', 2), split_part(coalesce(base->>'index', ''), '@', 2))
        AND NOT split_part(base->>'id', '@', 2) = ANY (w.members))
    ORDER BY m.id`);
  for (const stale of [true, false]) {
    const ids = rows.filter((it) => it.stale === stale).map((it) => it.id);
    for (let n = 0; n < ids.length; n += atOnce)
      await db
        .update(images)
        .set({ stale })
        .where(inArray(images.id, ids.slice(n, n + atOnce)));
  }
}
