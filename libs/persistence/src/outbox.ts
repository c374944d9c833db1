import { type QueueName, type QueuePayload } from '@kiln/schemas';
import { sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from './database.ts';
import { outbox } from './tables/builds.ts';

/** One announcement for a queue. `key` becomes the job's id there. */
export interface Announcement<N extends QueueName = QueueName> {
  topic: N;
  key: string;
  payload: QueuePayload<N>;
  /** Not to be told before this many milliseconds from now. */
  delayMs?: number;
}

export const announceBuild = (buildId: string, attempt: number, delayMs = 0): Announcement => ({
  topic: 'image-build',
  key: `${buildId}-${attempt}`,
  payload: { v: 1, buildId, attempt },
  delayMs,
});

export const announceRegistration = (
  kind: 'build' | 'image',
  id: string,
  attempt: number,
  delayMs = 0,
): Announcement => ({
  topic: 'image-register',
  key: `${kind}-${id}-${attempt}`,
  payload: { v: 1, kind, id, attempt },
  delayMs,
});

/** Writes an announcement; call it in the transaction of the change that it announces. */
export const announce = async (db: Executor, { topic, key, payload, delayMs = 0 }: Announcement): Promise<void> => {
  await db
    .insert(outbox)
    .values({ topic, key, payload, notBefore: sql`now() + make_interval(secs => ${delayMs / 1000})` });
};

export interface OutboxRow {
  id: number;
  topic: string;
  key: string;
  payload: unknown;
}

/**
 * Hands due announcements to `send` and deletes them, in one transaction: what `send` refuses stays.
 * Several relays may run at once; each takes other rows.
 * @returns how many were sent
 */
export const relayOutbox = (db: Database, limit: number, send: (rows: OutboxRow[]) => Promise<void>): Promise<number> =>
  inTransaction(db, async (tx) => {
    // A crash of the server may bring deleted rows back: they are sent again, and their keys make the same jobs.
    await tx.execute(sql`SET LOCAL synchronous_commit = off`);
    const { rows } = await tx.execute<OutboxRow & Record<string, unknown>>(
      sql`DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE not_before <= now() ORDER BY id LIMIT ${limit} FOR UPDATE SKIP LOCKED)
          RETURNING id::int8 AS id, topic, key, payload`,
    );
    if (rows.length > 0) await send(rows);
    return rows.length;
  });

/** How many announcements wait. */
export async function countOutbox(db: Executor): Promise<number> {
  const { rows } = await db.execute<{ n: number }>(sql`SELECT count(*)::int AS n FROM outbox`);
  return rows[0]?.n ?? 0;
}
