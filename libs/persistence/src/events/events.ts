import type { EventCursor, EventData, EventType } from '@kiln/domain';
import { eq, type SQL, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { events } from '../tables/events.ts';

export interface AccountEvent {
  id: number;
  /** Public id. */
  key: string;
  cursor: EventCursor;
  type: EventType;
  at: Date;
  workspaceId: string;
  userId: string;
  visibility: string;
  data: EventData;
}

/** The oldest transaction that is still running: the order of all events before it is final. */
export const commitHorizonSql = 'pg_snapshot_xmin(pg_current_snapshot())';
export const commitHorizon = sql.raw(commitHorizonSql);
const after = ({ xact, id }: EventCursor): SQL => sql`(${events.xact}, ${events.id}) > (${xact}::xid8, ${id}::int8)`;
const serverEpoch = sql.raw(
  // The timeline is the first part of the names of its files, from the moment of a promotion on.
  `(SELECT substr(md5(system_identifier || '.' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)), 1, 8)
    FROM pg_control_system())`,
);

const cursorOf = async (db: Executor, source: SQL): Promise<EventCursor> => {
  const { rows } = await db.execute<{ epoch: string; xact: string; id: string }>(
    sql`SELECT ${serverEpoch} AS epoch, xact::text AS xact, id FROM ${source}`,
  );
  const [{ epoch, xact, id } = { epoch: '', xact: '0', id: '0' }] = rows;
  return { epoch, xact, id: Number(id) };
};

/** The cursor after all events so far. */
export const currentEventCursor = (db: Executor): Promise<EventCursor> =>
  cursorOf(db, sql`(SELECT ${commitHorizon} AS xact, 0 AS id) present`);

/** The cursor before the oldest event that is still kept. */
export const oldestEventCursor = (db: Executor): Promise<EventCursor> =>
  cursorOf(db, sql`event_marks WHERE name = 'forgotten'`);

/**
 * Returns `cursor` if it is still valid; the oldest cursor if older events were deleted; the current cursor if another
 * server issued it.
 */
export async function resolveEventCursor(db: Executor, cursor: EventCursor): Promise<EventCursor> {
  const [current, oldest] = await Promise.all([currentEventCursor(db), oldestEventCursor(db)]);
  if (cursor.epoch !== current.epoch || BigInt(cursor.xact) > BigInt(current.xact)) return current;
  return isBefore(cursor, oldest) ? oldest : cursor;
}

const isBefore = (a: EventCursor, b: EventCursor): boolean =>
  a.xact === b.xact ? a.id < b.id : BigInt(a.xact) < BigInt(b.xact);

const shown = {
  id: events.id,
  key: events.key,
  xact: sql<string>`${events.xact}::text`,
  type: sql<EventType>`${events.type}`,
  at: events.at,
  workspaceId: events.workspaceId,
  userId: events.userId,
  visibility: events.visibility,
  data: events.data,
};

/** An account's events after a cursor, in order. The order never changes afterwards. */
export async function readEvents(
  db: Executor,
  accountId: string,
  cursor: EventCursor,
  limit: number,
): Promise<AccountEvent[]> {
  const rows = await db
    .select(shown)
    .from(events)
    .where(sql`${eq(events.accountId, accountId)} AND ${after(cursor)} AND ${events.xact} < ${commitHorizon}`)
    .orderBy(events.xact, events.id)
    .limit(limit);
  return rows.map(({ xact, ...it }) => ({ ...it, cursor: { epoch: cursor.epoch, xact, id: it.id } }));
}

/** The accounts that have events after a cursor, and the cursor after those. */
export async function accountsWithEventsAfter(
  db: Executor,
  cursor: EventCursor,
): Promise<{ accountIds: string[]; cursor: EventCursor }> {
  const { rows } = await db.execute<{ account_id: string; xact: string; id: string }>(sql`
    SELECT account_id, ${events.xact}::text AS xact, id FROM events
    WHERE ${after(cursor)} AND ${events.xact} < ${commitHorizon} ORDER BY ${events.xact}, id LIMIT 5000`);
  const last = rows.at(-1);
  return {
    accountIds: [...new Set(rows.map((it) => it.account_id))],
    cursor: last ? { ...cursor, xact: last.xact, id: Number(last.id) } : cursor,
  };
}

const deletedAtOnce = 5000;

/**
 * Deletes events that are older than `days`, with their deliveries, a batch at a time.
 * @returns whether there may be more of them
 */
export async function forgetEvents(db: Executor, days: number): Promise<boolean> {
  const { rows } = await db.execute<{ n: number }>(sql`
    WITH oldest AS (SELECT id, at FROM events WHERE xact < ${commitHorizon} ORDER BY xact, id LIMIT ${deletedAtOnce}),
    gone AS (
      DELETE FROM events WHERE id IN (SELECT id FROM oldest WHERE at < now() - make_interval(days => ${days}))
      RETURNING xact, id
    ), newest AS (SELECT xact, id FROM gone ORDER BY xact DESC, id DESC LIMIT 1),
    marked AS (
      UPDATE event_marks SET xact = newest.xact, id = newest.id FROM newest
      WHERE name = 'forgotten' AND (event_marks.xact, event_marks.id) < (newest.xact, newest.id)
    )
    SELECT count(*)::int AS n FROM gone`);
  return rows[0]?.n === deletedAtOnce;
}

/**
 * Takes events into this database's order that were copied here from another one, when the numbers of their
 * transactions are still to come here: they all come before what happens from now on.
 */
export async function adoptCopiedEvents(db: Executor): Promise<void> {
  const { rows } = await db.execute<{ copied: boolean }>(sql`
    SELECT EXISTS (SELECT 1 FROM events WHERE xact >= ${future})
      OR EXISTS (SELECT 1 FROM event_marks WHERE xact >= ${future}) AS copied`);
  if (!rows[0]?.copied) return;
  // Their transactions keep their order, and get the first numbers: there are no more of them than transactions here,
  // or they stay at 0.
  await db.execute(sql`
    WITH ranks AS (SELECT xact, row_number() OVER (ORDER BY xact) AS n
      FROM (SELECT xact FROM events UNION SELECT xact FROM event_marks) it),
    bound AS (SELECT CASE WHEN max(n) < ${future}::text::int8 THEN 1 ELSE 0 END AS fits FROM ranks),
    marks AS (UPDATE event_marks SET xact = (n * fits)::text::xid8 FROM ranks, bound
      WHERE ranks.xact = event_marks.xact)
    UPDATE events SET xact = (n * fits)::text::xid8 FROM ranks, bound WHERE ranks.xact = events.xact`);
}

// What this statement sees was written by transactions before it.
const future = sql.raw('pg_snapshot_xmax(pg_current_snapshot())');
