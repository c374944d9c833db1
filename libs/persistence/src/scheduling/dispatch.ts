import { crashPoint, timings } from '@kiln/kit';
import { type Lane, lanes, byLaneAndAge, chooseNext, type Contender, type Waiting } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { isAdmittedSql, isOccupyingSql, isPending } from '../builds/state-conditions.ts';
import { type Database, type Executor, inTransaction } from '../db/database.ts';
import { tryLock } from '../db/locks.ts';
import { announce, announceBuild } from '../outbox/outbox.ts';
import { liveWorkerNumbers } from '../workers/worker-session.ts';
import { type DefaultLimits } from './limits.ts';

/** Builders that are there for new work. */
export const liveBuilders = sql`
  SELECT name, slots, pool FROM workers
  WHERE app = 'builder' AND NOT draining AND NOT cordoned
    AND seen_at > now() - interval '${sql.raw(String(timings.leaseMs))} milliseconds'
    AND number IN (${liveWorkerNumbers})`;

/** Builds of each account that are on a builder, or on their way to one. */
export const buildsUnderWay = sql`
  SELECT account_id, worker, pool FROM builds
  WHERE ${sql.raw(isOccupyingSql())} AND worker IS NOT NULL
  UNION ALL SELECT account_id, NULL, pool FROM builds WHERE ${sql.raw(isAdmittedSql())}`;

// Of one account, this many at a time are looked at; the next pass is a moment away.
const headsOfAccount = 16;

interface Head extends Waiting {
  attempt: number;
}

/**
 * Admits as many pending builds as there are free slots, fairly between accounts, each with its announcement in
 * the same transaction. One dispatcher works at a time.
 * @returns how many were admitted; undefined when another dispatcher is at work
 */
export async function dispatch(
  db: Database,
  defaults: Pick<DefaultLimits, 'runningMax'>,
): Promise<number | undefined> {
  // Most slots that come free are wanted by nobody.
  const { rows } = await db.execute(sql`SELECT 1 FROM builds WHERE ${isPending()} AND not_before <= now() LIMIT 1`);
  if (rows.length === 0) return 0;
  return inTransaction(db, async (tx) => {
    if (!(await tryLock(tx, 'dispatch'))) return undefined;
    let admitted = 0;
    for (const { pool, free } of await listFreeSlots(tx)) admitted += await dispatchPool(tx, pool, free, defaults);
    return admitted;
  });
}

// Turns are taken in each pool for itself; an account's limit of running builds is one for all of them.
async function dispatchPool(
  tx: Executor,
  pool: string,
  free: number,
  defaults: Pick<DefaultLimits, 'runningMax'>,
): Promise<number> {
  const contenders = await listContenders(tx, pool, Math.min(free, headsOfAccount), defaults);
  if (contenders.length === 0) return 0;
  const { rows } = await tx.execute<{ time: number }>(
    sql`SELECT virtual_time AS time FROM pool_turns WHERE pool = ${pool}`,
  );
  const { chosen, finishTags, virtualTime } = chooseNext(contenders, free, rows[0]?.time ?? 0);
  if (chosen.length > 0) crashPoint('dispatch-chosen');
  const admitted = await admit(tx, chosen);
  await charge(tx, pool, finishTags, virtualTime);
  return admitted;
}

async function listFreeSlots(tx: Executor): Promise<{ pool: string; free: number }[]> {
  const { rows } = await tx.execute<{ pool: string; free: number }>(sql`
    WITH builders AS (${liveBuilders}), busy AS (
      SELECT pool, count(*) AS n FROM (${buildsUnderWay}) it
      WHERE worker IS NULL OR worker IN (SELECT name FROM builders) GROUP BY pool
    )
    SELECT pool, (sum(slots) - coalesce(min(busy.n), 0))::int AS free FROM builders LEFT JOIN busy USING (pool)
      GROUP BY pool`);
  return rows.filter((it) => it.free > 0);
}

async function listContenders(
  tx: Executor,
  pool: string,
  heads: number,
  defaults: Pick<DefaultLimits, 'runningMax'>,
): Promise<Contender<Head>[]> {
  const waits = isPending();
  const { rows } = await tx.execute<{
    account_id: string;
    lane: Lane;
    id: string;
    attempt: number;
    waited: number;
    weight: number | null;
    running_max: number | null;
    finish_tag: number | null;
    running: number;
  }>(sql`
    -- From one account to the next by the index, however many builds each of them has waiting.
    WITH RECURSIVE account AS (
      (SELECT account_id FROM builds WHERE ${waits} ORDER BY account_id LIMIT 1)
      UNION ALL
      SELECT (SELECT b.account_id FROM builds b WHERE ${waits} AND b.account_id > account.account_id
        ORDER BY b.account_id LIMIT 1)
      FROM account WHERE account.account_id IS NOT NULL
    ), running AS (
      SELECT account_id, count(*)::int AS n FROM (${buildsUnderWay}) it GROUP BY account_id
    )
    SELECT account.account_id, head.lane, head.id, head.attempt, head.waited, s.weight, s.running_max, turn.finish_tag,
      coalesce(running.n, 0) AS running
    FROM account
    CROSS JOIN unnest(${`{${lanes.join(',')}}`}::text[]) AS it (lane)
    CROSS JOIN LATERAL (
      SELECT b.id, b.lane, b.attempt, extract(epoch FROM now() - b.created_at)::float8 AS waited FROM builds b
      WHERE ${waits} AND b.account_id = account.account_id AND b.pool = ${pool} AND b.lane = it.lane
        AND b.not_before <= now()
      ORDER BY b.created_at, b.id LIMIT ${heads}
    ) head
    LEFT JOIN account_shares s ON s.account_id = account.account_id
    LEFT JOIN account_turns turn ON turn.account_id = account.account_id AND turn.pool = ${pool}
    LEFT JOIN running ON running.account_id = account.account_id`);
  const found = new Map<string, Contender<Head>>();
  for (const row of rows) {
    const contender = found.get(row.account_id) ?? {
      accountId: row.account_id,
      running: row.running,
      weight: row.weight ?? 1,
      runningMax: (row.running_max ?? defaults.runningMax) || Infinity,
      finishTag: row.finish_tag ?? 0,
      waiting: [],
    };
    contender.waiting.push({ id: row.id, lane: row.lane, attempt: row.attempt, waitedSeconds: row.waited });
    found.set(row.account_id, contender);
  }
  for (const it of found.values()) it.waiting.sort(byLaneAndAge);
  return [...found.values()];
}

async function admit(tx: Executor, chosen: Head[]): Promise<number> {
  if (chosen.length === 0) return 0;
  const { rows } = await tx.execute<{
    id: string;
    attempt: number;
    pool: string;
    trace: string | null;
  }>(sql`
    UPDATE builds b SET admitted_at = now(), announced_at = now()
    WHERE b.id IN (
        SELECT id FROM builds WHERE id = ANY(${`{${chosen.map((it) => it.id).join(',')}}`}::text[]) FOR UPDATE SKIP LOCKED)
      AND ${isPending('b.')}
    RETURNING b.id, b.attempt, b.pool, b.trace`);
  await announce(tx, ...rows.map(announceBuild));
  return rows.length;
}

async function charge(tx: Executor, pool: string, finishTags: Map<string, number>, virtualTime: number): Promise<void> {
  await tx.execute(sql`
    WITH charged AS (
      INSERT INTO account_turns (account_id, pool, finish_tag)
      SELECT account_id, ${pool}, finish_tag FROM unnest(${`{${[...finishTags.keys()].join(',')}}`}::text[],
        ${`{${[...finishTags.values()].join(',')}}`}::float8[]) AS it (account_id, finish_tag)
      ON CONFLICT (account_id, pool) DO UPDATE SET finish_tag = excluded.finish_tag
    )
    INSERT INTO pool_turns (pool, virtual_time) VALUES (${pool}, ${virtualTime})
    ON CONFLICT (pool) DO UPDATE SET virtual_time = excluded.virtual_time`);
}
