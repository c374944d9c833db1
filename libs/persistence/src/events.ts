import { type EventData, type EventType } from '@kiln/schemas';
import { eq, type SQL, sql } from 'drizzle-orm';
import { type Executor } from './database.ts';
import { events } from './tables/events.ts';

/** A place in the events, after one of them: by transaction, then by number. */
export interface EventPlace {
  /** In decimal. */
  xact: string;
  id: number;
}

export interface AccountEvent {
  id: number;
  place: EventPlace;
  type: EventType;
  at: Date;
  workspaceId: string;
  userId: string;
  visibility: string;
  data: EventData;
}

export const startOfEvents: EventPlace = { xact: '0', id: 0 };
export const formatPlace = ({ xact, id }: EventPlace): string => `${xact}-${id}`;
/** @param cursor what `formatPlace` has made */
export function parsePlace(cursor: string): EventPlace {
  const [xact = '0', id = '0'] = cursor.split('-');
  return { xact, id: Number(id) };
}

// Numbers of transactions that are still under way are from here on: nothing comes in before it any more.
const settled = sql.raw('pg_snapshot_xmin(pg_current_snapshot())');
const after = ({ xact, id }: EventPlace): SQL => sql`(${events.xact}, ${events.id}) > (${xact}::xid8, ${id}::int8)`;

/** Where `now` is: what has happened is before it, and what will be told comes after it. */
export async function presentPlace(db: Executor): Promise<EventPlace> {
  const { rows } = await db.execute<{ xact: string }>(sql`SELECT ${settled}::text AS xact`);
  return { xact: rows[0]?.xact ?? '0', id: 0 };
}

/**
 * The place itself, or the first one that is there instead: events before it may have been forgotten, and one that lies in the future
 * is of another database.
 */
export async function placeThatIs(db: Executor, place: EventPlace): Promise<EventPlace> {
  const { rows } = await db.execute<{ xact: string; id: string }>(sql`
    SELECT CASE WHEN ${place.xact}::xid8 > ${settled} THEN ${settled} ELSE xact END::text AS xact,
      CASE WHEN ${place.xact}::xid8 > ${settled} THEN 0 ELSE id END AS id
    FROM event_marks WHERE name = 'forgotten'
      AND ((xact, id) > (${place.xact}::xid8, ${place.id}::int8) OR ${place.xact}::xid8 > ${settled})`);
  const [instead] = rows;
  return instead ? { xact: instead.xact, id: Number(instead.id) } : place;
}

const shown = {
  id: events.id,
  xact: sql<string>`${events.xact}::text`,
  type: sql<EventType>`${events.type}`,
  at: events.at,
  workspaceId: events.workspaceId,
  userId: events.userId,
  visibility: events.visibility,
  data: events.data,
};

/** An account's events after a place, in order; however often it is asked, what came before stays as it was. */
export async function readEvents(
  db: Executor,
  accountId: string,
  place: EventPlace,
  limit: number,
): Promise<AccountEvent[]> {
  const rows = await db
    .select(shown)
    .from(events)
    .where(sql`${eq(events.accountId, accountId)} AND ${after(place)} AND ${events.xact} < ${settled}`)
    .orderBy(events.xact, events.id)
    .limit(limit);
  return rows.map(({ xact, ...it }) => ({ ...it, place: { xact, id: it.id } }));
}

/** Whose events came after a place, and where they end. */
export async function accountsToldAfter(
  db: Executor,
  place: EventPlace,
): Promise<{ accountIds: string[]; place: EventPlace }> {
  const { rows } = await db.execute<{ account_id: string; xact: string; id: string }>(sql`
    SELECT account_id, ${events.xact}::text AS xact, id FROM events
    WHERE ${after(place)} AND ${events.xact} < ${settled} ORDER BY ${events.xact}, id LIMIT 5000`);
  const last = rows.at(-1);
  return {
    accountIds: [...new Set(rows.map((it) => it.account_id))],
    place: last ? { xact: last.xact, id: Number(last.id) } : place,
  };
}

const forgottenAtOnce = 5000;

/**
 * Forgets events that are older than this, with their deliveries, some thousand at a time.
 * @returns whether there may be more of them
 */
export async function forgetEvents(db: Executor, days: number): Promise<boolean> {
  const { rows } = await db.execute<{ n: number }>(sql`
    WITH oldest AS (SELECT id, at FROM events WHERE xact < ${settled} ORDER BY xact, id LIMIT ${forgottenAtOnce}),
    gone AS (
      DELETE FROM events WHERE id IN (SELECT id FROM oldest WHERE at < now() - make_interval(days => ${days}))
      RETURNING xact, id
    ), newest AS (SELECT xact, id FROM gone ORDER BY xact DESC, id DESC LIMIT 1),
    marked AS (
      UPDATE event_marks SET xact = newest.xact, id = newest.id FROM newest
      WHERE name = 'forgotten' AND (event_marks.xact, event_marks.id) < (newest.xact, newest.id)
    )
    SELECT count(*)::int AS n FROM gone`);
  return rows[0]?.n === forgottenAtOnce;
}

/**
 * Takes events into this database's order that were copied here from another one: their transactions have numbers that are still to
 * come here.
 */
export async function settleCopiedEvents(db: Executor): Promise<void> {
  const copied = sql.raw('xact >= pg_snapshot_xmax(pg_current_snapshot())');
  await db.execute(sql`UPDATE events SET xact = '0' WHERE ${copied}`);
  // Some events around the mark may be told to webhooks again; a delivery that is there already is not made twice.
  await db.execute(sql`UPDATE event_marks SET xact = '0', id = greatest(id - 1000, 0) WHERE ${copied}`);
}
