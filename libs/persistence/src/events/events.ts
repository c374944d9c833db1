import { type EventData } from '@kiln/contract';
import { type EventType } from '@kiln/domain';
import { eq, type SQL, sql } from 'drizzle-orm';
import { type Executor } from '../db/database.ts';
import { events } from '../tables/events.ts';

/** A place in the events, after one of them: by transaction, then by number. */
export interface EventPlace {
  /** The life of the server that numbered the transaction: after a restore, or in another server, it is another one. */
  life: string;
  /** In decimal. */
  xact: string;
  id: number;
}

export interface AccountEvent {
  id: number;
  /** What it is known by outside. */
  key: string;
  place: EventPlace;
  type: EventType;
  at: Date;
  workspaceId: string;
  userId: string;
  visibility: string;
  data: EventData;
}

export const formatPlace = ({ life, xact, id }: EventPlace): string => `${life}-${xact}-${id}`;
/** @returns undefined when it is nothing that `formatPlace` has made */
export function parsePlace(cursor: string): EventPlace | undefined {
  const [, life, xact, id] = /^([0-9a-f]{8})-(\d{1,19})-(\d{1,15})$/.exec(cursor) ?? [];
  return life === undefined || xact === undefined ? undefined : { life, xact, id: Number(id) };
}

/** Numbers of transactions that are still under way are from here on: nothing comes in before it any more. */
export const settledHere = 'pg_snapshot_xmin(pg_current_snapshot())';
export const settled = sql.raw(settledHere);
const after = ({ xact, id }: EventPlace): SQL => sql`(${events.xact}, ${events.id}) > (${xact}::xid8, ${id}::int8)`;
const lifeOfServer = sql.raw(
  // The timeline is the first part of the names of its files, from the moment of a promotion on.
  `(SELECT substr(md5(system_identifier || '.' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)), 1, 8) FROM pg_control_system())`,
);

const firstPlace = async (db: Executor, places: SQL): Promise<EventPlace> => {
  const { rows } = await db.execute<{ life: string; xact: string; id: string }>(
    sql`SELECT ${lifeOfServer} AS life, xact::text AS xact, id FROM ${places}`,
  );
  const [{ life, xact, id } = { life: '', xact: '0', id: '0' }] = rows;
  return { life, xact, id: Number(id) };
};

/** Where `now` is: what has happened is before it, and what will be told comes after it. */
export const presentPlace = (db: Executor): Promise<EventPlace> =>
  firstPlace(db, sql`(SELECT ${settled} AS xact, 0 AS id) present`);

/** Where the oldest event is that is still kept. */
export const startOfEvents = (db: Executor): Promise<EventPlace> =>
  firstPlace(db, sql`event_marks WHERE name = 'forgotten'`);

/**
 * The place itself, or what is there instead: the start, when events after it may have been forgotten, and the present, when it is of
 * another life of the server, whose places say nothing here.
 */
export async function placeThatIs(db: Executor, place: EventPlace): Promise<EventPlace> {
  const [present, start] = await Promise.all([presentPlace(db), startOfEvents(db)]);
  if (place.life !== present.life || BigInt(place.xact) > BigInt(present.xact)) return present;
  return isBefore(place, start) ? start : place;
}

const isBefore = (a: EventPlace, b: EventPlace): boolean =>
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
  return rows.map(({ xact, ...it }) => ({ ...it, place: { life: place.life, xact, id: it.id } }));
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
    place: last ? { ...place, xact: last.xact, id: Number(last.id) } : place,
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
 * Takes events into this database's order that were copied here from another one, when the numbers of their transactions are still to
 * come here: they all come before what happens from now on.
 */
export async function settleCopiedEvents(db: Executor): Promise<void> {
  const { rows } = await db.execute<{ copied: boolean }>(sql`
    SELECT EXISTS (SELECT 1 FROM events WHERE xact >= ${future}) OR EXISTS (SELECT 1 FROM event_marks WHERE xact >= ${future}) AS copied`);
  if (!rows[0]?.copied) return;
  // Their transactions keep their order, and get the first numbers: there are no more of them than transactions here, or they stay at 0.
  await db.execute(sql`
    WITH ranks AS (SELECT xact, row_number() OVER (ORDER BY xact) AS n FROM (SELECT xact FROM events UNION SELECT xact FROM event_marks) it),
    bound AS (SELECT CASE WHEN max(n) < ${future}::text::int8 THEN 1 ELSE 0 END AS fits FROM ranks),
    marks AS (UPDATE event_marks SET xact = (n * fits)::text::xid8 FROM ranks, bound WHERE ranks.xact = event_marks.xact)
    UPDATE events SET xact = (n * fits)::text::xid8 FROM ranks, bound WHERE ranks.xact = events.xact`);
}

// What this statement sees was written by transactions before it.
const future = sql.raw('pg_snapshot_xmax(pg_current_snapshot())');
