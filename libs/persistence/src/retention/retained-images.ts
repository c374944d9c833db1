import type { Label, RetainedImage } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { lastAttempts } from '../builds/last-attempts.ts';
import type { Executor } from '../db/database.ts';

type Row = Omit<RetainedImage, 'createdAt' | 'usedAt' | 'sizeBytes'> & {
  createdAt: number;
  usedAt: number | null;
  sizeBytes: string | null;
  labels: Label[];
};

/** All images of an account that are there; the rules of one workspace are for its own. */
export async function readRetained(db: Executor, accountId: string, workspaceId: string): Promise<RetainedImage[]> {
  const { rows } = await db.execute<Row & Record<string, unknown>>(sql`
    SELECT m.id, m.workspace_id = ${workspaceId} AS "isRuled", m.status = 'ACTIVE' AS "isUsable",
      m.retiring IS NOT NULL AS "isRetiring", m.host, m.repository, m.tag, m.digest, m.pinned,
      m.size_bytes AS "sizeBytes", extract(epoch FROM m.created_at)::float8 * 1000 AS "createdAt",
      extract(epoch FROM m.used_at)::float8 * 1000 AS "usedAt",
      coalesce((SELECT jsonb_agg(jsonb_build_object('key', l.key, 'value', l.value)) FROM image_labels l
        WHERE l.image_id = m.id), '[]') AS labels,
      coalesce((SELECT jsonb_agg(name) FROM ${lastAttempts}
        CROSS JOIN LATERAL jsonb_array_elements(a.bases) base
        CROSS JOIN LATERAL unnest(ARRAY[base->>'id', base->>'index']) name
        WHERE b.id = m.build_id AND name IS NOT NULL), '[]') AS bases
    FROM images m WHERE m.account_id = ${accountId} AND m.status IN ('ACTIVE', 'ERROR')
    ORDER BY m.created_at, m.id`);
  return rows.map((it) => ({
    ...it,
    createdAt: new Date(Math.round(it.createdAt)),
    usedAt: it.usedAt === null ? null : new Date(Math.round(it.usedAt)),
    sizeBytes: it.sizeBytes === null ? null : Number(it.sizeBytes),
  }));
}
