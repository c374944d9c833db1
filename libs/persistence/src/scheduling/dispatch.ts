import { crashPoint, timings } from '@kiln/kit';
import {
  type Builder,
  byLaneAndAge,
  chooseNext,
  type Chosen,
  type Contender,
  type Lane,
  lanes,
  type Waiting,
} from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { isAdmittedSql, isOccupyingSql, isPending, isPendingSql } from '../builds/state-conditions.ts';
import { type Database, type Executor, inTransaction, runPrepared } from '../db/database.ts';
import { tryLock } from '../db/locks.ts';
import { announce, announceBuild } from '../outbox/outbox.ts';
import type { Placement } from '../tables/builds.ts';
import { liveWorkerNumbers } from '../workers/worker-session.ts';
import type { DefaultLimits } from './limits.ts';

/** Builders that are there for new work. */
export const liveBuilders = sql`
  SELECT name, slots, pool FROM workers
  WHERE app = 'builder' AND NOT draining AND NOT cordoned
    AND seen_at > now() - interval '${sql.raw(String(timings.leaseMs))} milliseconds'
    AND number IN (${liveWorkerNumbers})`;

/** Builds of each account that are on a builder, or on their way to the one that they are meant for. */
export const buildsUnderWay = sql`
  SELECT account_id, worker, pool, true AS claimed FROM builds
  WHERE ${sql.raw(isOccupyingSql())} AND worker IS NOT NULL
  UNION ALL SELECT account_id, placement->>'on', pool, false FROM builds WHERE ${sql.raw(isAdmittedSql())}`;

/** The builders that get builds by queues of their own: those that are not alone in their pool. */
export async function listQueueBuilders(db: Executor): Promise<{ name: string; pool: string }[]> {
  const { rows } = await db.execute<{ name: string; pool: string }>(sql`
    SELECT name, pool FROM (SELECT name, pool, count(*) OVER (PARTITION BY pool) AS n FROM (${liveBuilders}) it) it
    WHERE n > 1 ORDER BY pool, name`);
  return rows;
}

// Of one account and lane, this many at a time are looked at; the next pass is a moment away.
const headsOfAccount = 16;

interface Head extends Waiting {
  attempt: number;
}

const toDispatch = `SELECT 1 FROM builds WHERE ${isPendingSql()} AND not_before <= now() LIMIT 1`;

/**
 * Admits as many pending builds as there are free slots, fairly between accounts, each with its announcement in
 * the same transaction. One dispatcher works at a time.
 * @returns how many were admitted; undefined when another dispatcher is at work
 */
export async function dispatch(db: Database, defaults: Pick<DefaultLimits, 'runningMax'>): Promise<number | undefined> {
  // Most slots that come free are wanted by nobody.
  const { rows } = await runPrepared(db, 'builds-to-dispatch', toDispatch, []);
  if (rows.length === 0) return 0;
  return inTransaction(db, async (tx) => {
    if (!(await tryLock(tx, 'dispatch'))) return undefined;
    let admitted = 0;
    for (const pool of await listPools(tx)) admitted += await dispatchPool(tx, pool, defaults);
    return admitted;
  });
}

interface Pool {
  name: string;
  /** By their names. */
  builders: Map<string, Builder>;
  /** How many builds may go to it now. */
  free: number;
  virtualTime: number;
}

// Turns are taken in each pool for itself; an account's limit of running builds is one for all of them.
async function dispatchPool(tx: Executor, pool: Pool, defaults: Pick<DefaultLimits, 'runningMax'>): Promise<number> {
  const contenders = await listContenders(tx, pool.name, defaults);
  if (contenders.length === 0) return 0;
  const next = chooseNext(contenders, pool.builders, pool.free, pool.virtualTime);
  if (next.chosen.length > 0) crashPoint('dispatch-chosen');
  const held = next.held.filter((it) => it.heldSeconds === undefined).map((it) => it.id);
  if (held.length > 0) await hold(tx, held);
  if (next.chosen.length === 0) return 0;
  const admitted = await admit(tx, next.chosen, pool.builders.size > 1);
  await charge(tx, pool.name, next.finishTags, next.virtualTime);
  return admitted;
}

/** The pools that have a free slot. */
async function listPools(tx: Executor): Promise<Pool[]> {
  const { rows } = await tx.execute<{
    pool: string;
    name: string;
    slots: number;
    free: number;
    loose: number;
    time: number | null;
  }>(sql`
    WITH builders AS (${liveBuilders}), under_way AS (${buildsUnderWay}), busy AS (
      SELECT worker, count(*)::int AS n FROM under_way GROUP BY worker
    ), loose AS (
      -- Meant for no builder, or for one that takes nothing any more: another one will have them.
      SELECT pool, count(*)::int AS n FROM under_way
      WHERE NOT claimed AND (worker IS NULL OR worker NOT IN (SELECT name FROM builders)) GROUP BY pool
    )
    SELECT builders.pool, builders.name, builders.slots, builders.slots - coalesce(busy.n, 0) AS free,
      coalesce(loose.n, 0) AS loose, turn.virtual_time AS time
    FROM builders LEFT JOIN busy ON busy.worker = builders.name LEFT JOIN loose ON loose.pool = builders.pool
    LEFT JOIN pool_turns turn ON turn.pool = builders.pool`);
  const pools = new Map<string, Pool>();
  for (const { pool, name, slots, free, loose, time } of rows) {
    const known = pools.get(pool) ?? { name: pool, builders: new Map(), free: -loose, virtualTime: time ?? 0 };
    known.builders.set(name, { name, slots, free });
    known.free += Math.max(0, free);
    pools.set(pool, known);
  }
  return [...pools.values()].filter((it) => it.free > 0);
}

async function listContenders(
  tx: Executor,
  pool: string,
  defaults: Pick<DefaultLimits, 'runningMax'>,
): Promise<Contender<Head>[]> {
  const waits = isPending();
  const { rows } = await tx.execute<{
    account_id: string;
    lane: Lane;
    id: string;
    attempt: number;
    waited: number;
    held: number | null;
    weight: number | null;
    running_max: number | null;
    finish_tag: number | null;
    warm_seconds: number | null;
    cold_seconds: number | null;
    warm_on: string[] | null;
    known_on: string[] | null;
    avoid: string[] | null;
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
    SELECT account.account_id, head.lane, head.id, head.attempt, head.waited, head.held, s.weight, s.running_max,
      turn.finish_tag, turn.warm_seconds, turn.cold_seconds,
      (SELECT array_agg(worker) FROM worker_caches c
        WHERE c.account_id = account.account_id AND c.cache_key = head.cache_key AND c.cache_key <> '') AS warm_on,
      known."on" AS known_on,
      CASE WHEN head.attempt > 0 OR head.missed_by <> '{}' THEN
        head.missed_by || (SELECT coalesce(array_agg(worker), '{}') FROM build_attempts a WHERE a.build_id = head.id)
      END AS avoid,
      coalesce(running.n, 0) AS running
    FROM account
    CROSS JOIN LATERAL (
      SELECT array_agg(DISTINCT worker) AS "on" FROM worker_caches c WHERE c.account_id = account.account_id
    ) known
    CROSS JOIN unnest(${`{${lanes.join(',')}}`}::text[]) AS it (lane)
    CROSS JOIN LATERAL (
      SELECT b.id, b.lane, b.attempt, b.cache_key, b.missed_by, extract(epoch FROM now() - b.created_at)::float8 AS waited,
        extract(epoch FROM now() - b.held_at)::float8 AS held
      FROM builds b
      WHERE ${waits} AND b.account_id = account.account_id AND b.pool = ${pool} AND b.lane = it.lane
        AND b.not_before <= now()
      ORDER BY b.created_at, b.id LIMIT ${headsOfAccount}
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
      knownOn: new Set(row.known_on ?? []),
      took: { warm: row.warm_seconds ?? undefined, cold: row.cold_seconds ?? undefined },
      waiting: [],
    };
    const { id, lane, attempt, waited, held } = row;
    contender.waiting.push({
      id,
      lane,
      attempt,
      waitedSeconds: waited,
      warmOn: new Set(row.warm_on ?? []),
      avoid: new Set(row.avoid ?? []),
      ...(held === null ? {} : { heldSeconds: held }),
    });
    found.set(row.account_id, contender);
  }
  for (const it of found.values()) it.waiting.sort(byLaneAndAge);
  return [...found.values()];
}

/** Notes that their turn has come. */
const hold = (tx: Executor, ids: string[]) =>
  tx.execute(sql`UPDATE builds SET held_at = now() WHERE id = ANY(${textArray(ids)}::text[]) AND ${isPending()}`);

/** @param byBuilder whether the builder that a build is meant for is told, and not any of the pool */
async function admit(tx: Executor, chosen: Chosen<Head>[], byBuilder: boolean): Promise<number> {
  const placements = chosen.map(({ build, on, why }): Placement => ({
    on,
    why,
    heldMs: Math.round((build.heldSeconds ?? 0) * 1000),
    own: byBuilder,
  }));
  const { rows } = await tx.execute<{
    id: string;
    attempt: number;
    pool: string;
    trace: string | null;
    placement: Placement;
  }>(sql`
    UPDATE builds b SET admitted_at = now(), announced_at = now(), placement = it.placement
    FROM unnest(${textArray(chosen.map((it) => it.build.id))}::text[],
      ${sql.param(placements.map((it) => JSON.stringify(it)))}::jsonb[]) AS it (id, placement)
    WHERE b.id = it.id
      AND b.id IN (SELECT id FROM builds WHERE id = ANY(${textArray(chosen.map((it) => it.build.id))}::text[])
        FOR UPDATE SKIP LOCKED)
      AND ${isPending('b.')}
    RETURNING b.id, b.attempt, b.pool, b.trace, b.placement`);
  await announce(tx, ...rows.map((it) => announceBuild(it, byBuilder ? it.placement.on : undefined)));
  return rows.length;
}

const textArray = (values: string[]): string => `{${values.join(',')}}`;

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
