import { type SQL, sql } from 'drizzle-orm';

/** Builds `b`, each with its last attempt `a`: what an image was made from stands there. */
export const lastAttempts = sql.raw('builds b JOIN build_attempts a ON a.build_id = b.id AND a.attempt = b.attempt');

/** Whether an attempt `a` started from an image: by its digest (`id`, `index`), or by the tag that named it. */
export const startedFrom = (key: 'id' | 'index' | 'reference', name: string): SQL =>
  sql`a.bases @> ${JSON.stringify([{ [key]: name }])}::jsonb`;
