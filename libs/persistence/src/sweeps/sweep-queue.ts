import { sql } from 'drizzle-orm';
import { isAdmittedSql } from '../builds/state-conditions.ts';
import { type Database, inTransaction } from '../db/database.ts';
import { announce, announceBuild, announceRegistration } from '../outbox/outbox.ts';
import { liveBuilders } from '../scheduling/dispatch.ts';

/** One builder alone was told of it. */
const hasOwnBuilder = `coalesce((placement->>'own')::boolean, false)`;

/**
 * Gives builds back to the dispatcher that the one builder which was told of them has not claimed: at once when it has
 * died or takes nothing new; later when it may be stopped, or have more than it can do. The more often that happens to
 * a build, the longer it takes, up to a minute.
 * @param afterSeconds how long a builder that is there has for it
 * @returns how many were given back
 */
export async function placeAnew(db: Database, afterSeconds: number): Promise<number> {
  const patience = sql`make_interval(secs => least(60, ${afterSeconds}::float8 * power(2, cardinality(missed_by))))`;
  const { rowCount } = await db.execute(sql`
    UPDATE builds SET admitted_at = NULL, placement = NULL, missed_by = array_append(missed_by, placement->>'on')
    WHERE id IN (
      SELECT id FROM builds
      WHERE ${sql.raw(isAdmittedSql())} AND ${sql.raw(hasOwnBuilder)} AND lease_until IS NULL
        AND (greatest(announced_at, not_before) <= now() - ${patience}
          OR placement->>'on' NOT IN (SELECT name FROM (${liveBuilders}) it))
      LIMIT 500 FOR UPDATE SKIP LOCKED)`);
  return rowCount ?? 0;
}

type Announced = { id: string; attempt: number; pool: string; trace: string | null; builder: string | null };

/**
 * Announces due work again that no worker has claimed: Redis may have lost the job, or the worker that fetched it may
 * have died. A job that is sent twice runs once, because the second claim fails. The longer work has waited, the less
 * often it is announced, down to once a minute: most of it waits for a free worker. A build that one builder alone was
 * told of is left to `placeAnew`.
 * @param afterSeconds how old an announcement must be; 0 announces everything, as after the loss of Redis
 */
export const republishStale = (db: Database, afterSeconds: number): Promise<number> =>
  inTransaction(db, async (tx) => {
    const all = afterSeconds === 0;
    const announceTable = async (table: 'builds' | 'images', since: string, where: string) => {
      const isBuild = table === 'builds';
      const { rows } = await tx.execute<Announced>(sql`
        UPDATE ${sql.raw(table)} SET announced_at = now() WHERE id IN (
          SELECT id FROM ${sql.raw(table)}
          WHERE ${sql.raw(where)} AND not_before <= now() AND lease_until IS NULL
            AND (${all} OR greatest(announced_at, not_before) <= now()
              - greatest(make_interval(secs => ${afterSeconds}),
                least(announced_at - greatest(${sql.raw(since)}, not_before), interval '1 minute')))
          LIMIT ${all ? 100_000 : 500} FOR UPDATE SKIP LOCKED)
        RETURNING id::text AS id, attempt, ${sql.raw(isBuild ? 'pool, trace' : "'' AS pool, NULL AS trace")},
          ${sql.raw(isBuild ? `CASE WHEN ${hasOwnBuilder} THEN placement->>'on' END` : 'NULL')} AS builder`);
      return rows;
    };
    const isMeantForAll = all ? 'true' : `NOT ${hasOwnBuilder}`;
    const admitted = await announceTable('builds', 'admitted_at', `${isAdmittedSql()} AND ${isMeantForAll}`);
    const pushed = await announceTable('builds', 'updated_at', `state = 'registering'`);
    const pending = await announceTable('images', 'updated_at', 'pending');
    await announce(
      tx,
      ...admitted.map((it) => announceBuild(it, it.builder ?? undefined)),
      ...pushed.map(({ id, attempt, trace }) => announceRegistration('build', id, attempt, { trace })),
      ...pending.map((it) => announceRegistration('image', it.id, it.attempt)),
    );
    return admitted.length + pushed.length + pending.length;
  });
