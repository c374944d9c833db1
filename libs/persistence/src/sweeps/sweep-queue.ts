import { type SQL, sql } from 'drizzle-orm';
import { isAdmittedSql } from '../builds/state-conditions.ts';
import { type Database, inTransaction } from '../db/database.ts';
import { announce, announceBuild, announceRegistration } from '../outbox/outbox.ts';
import { liveBuilders } from '../scheduling/dispatch.ts';

/** One builder alone was told of it. */
const hasOwnBuilder = `coalesce((placement->>'own')::boolean, false)`;

/** Which builds the one builder that was told of them has not claimed. */
function isMissed(afterSeconds: number): SQL {
  const patience = sql`make_interval(secs => least(60, ${afterSeconds}::float8 * power(2, cardinality(missed_by))))`;
  return sql`${sql.raw(isAdmittedSql())} AND ${sql.raw(hasOwnBuilder)} AND lease_until IS NULL
    AND (greatest(announced_at, not_before) <= now() - ${patience}
      OR placement->>'on' NOT IN (SELECT name FROM (${liveBuilders}) it))`;
}

/** Announced work: its table, since when it has waited for a worker, and which rows it is. */
const announced = {
  admitted: { table: 'builds', since: 'admitted_at', where: isAdmittedSql() },
  pushed: { table: 'builds', since: 'updated_at', where: `state = 'registering'` },
  pending: { table: 'images', since: 'updated_at', where: 'pending' },
} as const;
type Announced = keyof typeof announced;

/** Which of it no worker has claimed for too long. @param afterSeconds 0 for all that is due */
function isStale(what: Announced, afterSeconds: number): SQL {
  const { since, where } = announced[what];
  const isAll = afterSeconds === 0;
  const isForAll = what === 'admitted' && !isAll ? sql` AND NOT ${sql.raw(hasOwnBuilder)}` : sql``;
  return sql`${sql.raw(where)}${isForAll} AND not_before <= now() AND lease_until IS NULL
    AND (${isAll} OR greatest(announced_at, not_before) <= now()
      - greatest(make_interval(secs => ${afterSeconds}),
        least(announced_at - greatest(${sql.raw(since)}, not_before), interval '1 minute')))`;
}

/** Statements that find what `placeAnew` and `republishStale` would change. */
export const unclaimedWork = (missedSeconds: number, staleSeconds: number): SQL[] => [
  sql`SELECT 1 FROM builds WHERE ${isMissed(missedSeconds)}`,
  ...(Object.keys(announced) as Announced[]).map(
    (what) => sql`SELECT 1 FROM ${sql.raw(announced[what].table)} WHERE ${isStale(what, staleSeconds)}`,
  ),
];

/**
 * Gives builds back to the dispatcher that the one builder which was told of them has not claimed: at once when it has
 * died or takes nothing new; later when it may be stopped, or have more than it can do. The more often that happens to
 * a build, the longer it takes, up to a minute.
 * @param afterSeconds how long a builder that is there has for it
 * @returns how many were given back
 */
export async function placeAnew(db: Database, afterSeconds: number): Promise<number> {
  const { rowCount } = await db.execute(sql`
    UPDATE builds SET admitted_at = NULL, placement = NULL, missed_by = array_append(missed_by, placement->>'on')
    WHERE id IN (SELECT id FROM builds WHERE ${isMissed(afterSeconds)} LIMIT 500 FOR UPDATE SKIP LOCKED)`);
  return rowCount ?? 0;
}

type Row = { id: string; attempt: number; pool: string; trace: string | null; builder: string | null };

/**
 * Announces due work again that no worker has claimed: Redis may have lost the job, or the worker that fetched it may
 * have died. A job that is sent twice runs once, because the second claim fails. The longer work has waited, the less
 * often it is announced, down to once a minute: most of it waits for a free worker. A build that one builder alone was
 * told of is left to `placeAnew`.
 * @param afterSeconds how old an announcement must be; 0 announces everything, as after the loss of Redis
 */
export const republishStale = (db: Database, afterSeconds: number): Promise<number> =>
  inTransaction(db, async (tx) => {
    const limit = afterSeconds === 0 ? 100_000 : 500;
    const renew = async (what: Announced) => {
      const { table } = announced[what];
      const ofBuild =
        table === 'builds'
          ? `pool, trace, CASE WHEN ${hasOwnBuilder} THEN placement->>'on' END AS builder`
          : `'' AS pool, NULL AS trace, NULL AS builder`;
      const { rows } = await tx.execute<Row>(sql`
        UPDATE ${sql.raw(table)} SET announced_at = now() WHERE id IN (
          SELECT id FROM ${sql.raw(table)} WHERE ${isStale(what, afterSeconds)}
          LIMIT ${limit} FOR UPDATE SKIP LOCKED)
        RETURNING id::text AS id, attempt, ${sql.raw(ofBuild)}`);
      return rows;
    };
    const admitted = await renew('admitted');
    const pushed = await renew('pushed');
    const pending = await renew('pending');
    await announce(
      tx,
      ...admitted.map((it) => announceBuild(it, it.builder ?? undefined)),
      ...pushed.map(({ id, attempt, trace }) => announceRegistration('build', id, attempt, { trace })),
      ...pending.map((it) => announceRegistration('image', it.id, it.attempt)),
    );
    return admitted.length + pushed.length + pending.length;
  });
