import { crashPoint, traceparent } from '@kiln/kit';
import type { QueueName, QueuePayload } from '@kiln/contract';
import { sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import type { Build } from '../tables/builds.ts';
import { outbox } from '../tables/builds.ts';
import { atOnce } from '../tables/moment.ts';

/** One announcement for a queue. */
export interface Announcement<N extends QueueName = QueueName> {
  topic: N;
  /** What it is about, for people. */
  key: string;
  payload: QueuePayload<N>;
  /** Where its trace is, when that is not the present. */
  trace?: string | null;
  /** Not to be told before this many milliseconds from now. */
  delayMs?: number;
}

/** @param builder name of the one that is to take it; any of its pool may when left out */
export const announceBuild = (
  { id, attempt, pool, trace }: Pick<Build, 'id' | 'attempt' | 'pool' | 'trace'>,
  builder?: string,
): Announcement => ({
  trace,
  topic: 'image-build',
  key: `${id}-${attempt}`,
  payload: {
    v: 1,
    buildId: id,
    attempt,
    ...(pool === '' ? {} : { pool }),
    ...(builder === undefined ? {} : { builder }),
  },
});

export const announceRegistration = (
  kind: 'build' | 'image',
  id: string,
  attempt: number,
  { delayMs = 0, trace }: { delayMs?: number; trace?: string | null } = {},
): Announcement => ({
  ...(trace === undefined ? {} : { trace }),
  topic: 'image-register',
  key: `${kind}-${id}-${attempt}`,
  payload: { v: 1, kind, id, attempt },
  delayMs,
});

const rowOf = ({ topic, key, payload, trace = traceparent(), delayMs = 0 }: Announcement) => ({
  topic,
  key,
  payload,
  trace,
  notBefore: sql`${atOnce} + make_interval(secs => ${delayMs / 1000})`,
});

/** Writes an announcement if there is a row in `moved`, which another part of the same statement has changed. */
export function announceMoved(db: Executor, announcement: Announcement) {
  const { topic, key, payload, trace, notBefore } = rowOf(announcement);
  return db.$with('announced', {}).as(sql`
    INSERT INTO outbox (topic, key, payload, trace, not_before)
    SELECT ${topic}, ${key}, ${JSON.stringify(payload)}::jsonb, ${trace}, ${notBefore} FROM moved`);
}

/** Writes announcements; call it in the transaction of the change that they announce. */
export const announce = async (db: Executor, ...announcements: Announcement[]): Promise<void> => {
  // A statement takes 65,535 values.
  const [now, later] = [announcements.slice(0, 10_000), announcements.slice(10_000)];
  if (now.length === 0) return;
  await db.insert(outbox).values(now.map(rowOf));
  await announce(db, ...later);
};

export interface OutboxRow {
  topic: string;
  /** The same however often the row is sent, and no other row's. */
  key: string;
  payload: unknown;
  trace: string | null;
}

/**
 * Hands due announcements to `send` and deletes them, in one transaction: what `send` refuses stays.
 * Several relays may run at once; each takes other rows.
 * @returns how many were sent
 */
export const relayOutbox = (db: Database, limit: number, send: (rows: OutboxRow[]) => Promise<void>): Promise<number> =>
  inTransaction(
    db,
    async (tx) => {
      const { rows } = await tx.execute<OutboxRow & Record<string, unknown>>(
        sql`DELETE FROM outbox WHERE id IN (
              SELECT id FROM outbox WHERE not_before <= now() ORDER BY id LIMIT ${limit} FOR UPDATE SKIP LOCKED)
            RETURNING topic, key || '-' || id AS key, payload, trace`,
      );
      if (rows.length > 0) {
        await send(rows);
        crashPoint('relay-sent');
      }
      return rows.length;
    },
    // A crash of the server may bring deleted rows back: they are sent again, and their keys make the same jobs.
    { durable: false },
  );

/** How many announcements are due, and for how long the oldest has been. */
export async function readOutbox(db: Executor): Promise<{ waiting: number; oldestMs: number }> {
  const { rows } = await db.execute<{ waiting: number; oldest_ms: number }>(sql`
    SELECT count(*)::int AS waiting, coalesce(extract(epoch FROM now() - min(not_before)) * 1000, 0)::int AS oldest_ms
    FROM outbox WHERE not_before <= now()`);
  return { waiting: rows[0]?.waiting ?? 0, oldestMs: rows[0]?.oldest_ms ?? 0 };
}
