import { type BuildState, lanes, type Lane } from '@kiln/domain';
import { and, sql } from 'drizzle-orm';
import { buildsSeenBy } from '../builds/build-queries.ts';
import { isLiveSql, isPending } from '../builds/state-conditions.ts';
import type { Executor } from '../db/database.ts';
import type { Viewer } from '../accounts/identity.ts';
import { builds } from '../tables/builds.ts';
import { slotSamples } from '../tables/workers.ts';
import { buildsUnderWay, liveBuilders } from '../scheduling/dispatch.ts';
import type { DefaultLimits } from '../scheduling/limits.ts';

/** What ended in one piece of time, and what waited and ran when that piece was over. */
export interface Piece {
  at: Date;
  succeeded: number;
  failed: number;
  cancelled: number;
  waiting: number;
  running: number;
  /** How long the oldest of those had waited by then, in seconds. */
  oldestWaitingSeconds: number;
}

const pieceCount = 48;

/** A viewer's builds of the last hours, in figures. */
export interface Overview {
  /** Builds that have not ended, by state. */
  live: Partial<Record<BuildState, number>>;
  /** How long the oldest waiting build has waited, in seconds. */
  oldestWaitingSeconds: number | null;
  pieces: Piece[];
  /** What failed builds said, the most frequent first. */
  failures: { code: string; reason: string | null; n: number }[];
  /** Seconds from first attempt to end of builds that succeeded. */
  took: { median: number | null; slow: number | null };
}

/** @param hours how far back, in 48 equal pieces */
export async function readBuilds(db: Executor, viewer: Viewer, hours: number): Promise<Overview> {
  const pieceSeconds = (hours * 3600) / pieceCount;
  const seen = buildsSeenBy(viewer);
  const since = sql`${builds.finishedAt} > now() - make_interval(hours => ${hours})`;
  const isLive = sql.raw(isLiveSql());
  const ofThisTime = sql`
    SELECT created_at, started_at, finished_at FROM builds WHERE ${and(seen, isLive)}
    UNION ALL SELECT created_at, started_at, finished_at FROM builds WHERE ${and(seen, since)}`;
  const [live, ends, changes, ages, failures, took] = await Promise.all([
    db.execute<{ state: BuildState; n: number; waiting: number; oldest: number | null }>(sql`
      SELECT state, count(*)::int AS n, (count(*) FILTER (WHERE started_at IS NULL))::int AS waiting,
        extract(epoch FROM now() - min(created_at))::int AS oldest FROM builds
      WHERE ${and(seen, isLive)} GROUP BY state`),
    db.execute<{ piece: number; state: string; n: number }>(sql`
      SELECT floor(extract(epoch FROM now() - finished_at) / ${pieceSeconds})::int AS piece, state,
        count(*)::int AS n FROM builds
      WHERE ${and(seen, since)} GROUP BY 1, 2`),
    // Whatever began or ended in this time belongs to a build that is live, or that ended in it.
    db.execute<{ piece: number; waiting: number; running: number }>(sql`
      SELECT floor(extract(epoch FROM now() - at) / ${pieceSeconds})::int AS piece, sum(waiting)::int AS waiting,
        sum(running)::int AS running
      FROM (${ofThisTime}) it CROSS JOIN LATERAL (VALUES
        (created_at, 1, 0), (coalesce(started_at, finished_at), -1, 0),
        (started_at, 0, 1), (CASE WHEN started_at IS NOT NULL THEN finished_at END, 0, -1)
      ) change (at, waiting, running)
      WHERE at IS NOT NULL AND at > now() - make_interval(hours => ${hours}) GROUP BY 1`),
    // A build is looked at for each end of a piece at which it waited: for most there is none.
    db.execute<{ piece: number; oldest: number }>(sql`
      SELECT piece, max(extract(epoch FROM now() - created_at) - piece * ${pieceSeconds}::float8)::float8 AS oldest
      FROM (${ofThisTime}) it CROSS JOIN LATERAL generate_series(
        floor(
          extract(epoch FROM now() - coalesce(started_at, finished_at, now() + interval '1 second')) / ${pieceSeconds}::float8)::int + 1,
        least(${pieceCount - 1}, floor(extract(epoch FROM now() - created_at) / ${pieceSeconds}::float8)::int)) AS piece
      WHERE piece >= 0 GROUP BY 1`),
    db.execute<{ code: string; reason: string | null; n: number }>(sql`
      SELECT error->>'code' AS code, error->>'reason' AS reason, count(*)::int AS n FROM builds
      WHERE ${and(seen, since, sql`${builds.state} IN ('failed', 'timed_out', 'expired')`)} GROUP BY 1, 2
        ORDER BY n DESC, 1 LIMIT 8`),
    db.execute<{ median: number | null; slow: number | null }>(sql`
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS median,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS slow
      FROM (SELECT extract(epoch FROM finished_at - started_at)::float8 AS took FROM builds
            WHERE ${and(seen, since, sql`${builds.state} = 'succeeded'`)}) it`),
  ]);
  const now = Date.now();
  const pieces: Piece[] = Array.from({ length: pieceCount }, (_, n) => ({
    at: new Date(now - (pieceCount - n) * pieceSeconds * 1000),
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    waiting: 0,
    running: 0,
    oldestWaitingSeconds: 0,
  }));
  for (const { piece, state, n } of ends.rows) {
    const sum = pieces[pieceCount - 1 - piece];
    if (sum) sum[state === 'succeeded' || state === 'cancelled' ? state : 'failed'] += n;
  }
  for (const { piece, oldest } of ages.rows) {
    const sum = pieces[pieceCount - 1 - piece];
    if (sum) sum.oldestWaitingSeconds = Math.round(oldest);
  }
  // From now backwards: what there is, less what came in each piece.
  const changed = new Map(changes.rows.map((it) => [Math.max(0, it.piece), it]));
  let waiting = live.rows.reduce((sum, it) => sum + it.waiting, 0);
  let running = live.rows.reduce((sum, it) => sum + it.n - it.waiting, 0);
  for (let piece = 0; piece < pieceCount; piece += 1) {
    const sum = pieces[pieceCount - 1 - piece];
    if (sum) Object.assign(sum, { waiting: Math.max(0, waiting), running: Math.max(0, running) });
    waiting -= changed.get(piece)?.waiting ?? 0;
    running -= changed.get(piece)?.running ?? 0;
  }
  return {
    live: Object.fromEntries(live.rows.map((it) => [it.state, it.n])),
    oldestWaitingSeconds: live.rows.find((it) => it.state === 'queued')?.oldest ?? null,
    pieces,
    failures: failures.rows,
    took: took.rows[0] ?? { median: null, slow: null },
  };
}

/** How busy the builders of every pool are. */
export async function readSlots(db: Executor): Promise<{ pool: string; slots: number; busy: number }[]> {
  const { rows } = await db.execute<{ pool: string; slots: number; busy: number }>(sql`
    SELECT pool, coalesce(sum(slots), 0)::int AS slots, coalesce(sum(busy), 0)::int AS busy FROM (
      SELECT pool, slots, 0 AS busy FROM (${liveBuilders}) builders
      UNION ALL SELECT pool, 0, 1 FROM (${buildsUnderWay}) under_way
    ) it GROUP BY pool ORDER BY pool`);
  return rows;
}

const sampleDays = 8;

/** Writes down how busy the builders are just now, and forgets what is older than any overview. */
export async function sampleSlots(db: Executor): Promise<void> {
  const slots = await readSlots(db);
  const samples = slots.map((it) => ({ ...it, at: sql`now()` }));
  if (samples.length > 0) await db.insert(slotSamples).values(samples).onConflictDoNothing();
  await db.delete(slotSamples).where(sql`${slotSamples.at} < now() - make_interval(days => ${sampleDays})`);
}

/**
 * The slots of each pool over the last hours: in each of 48 equal pieces, as many as there and busy at its last minute.
 */
export async function readPastSlots(
  db: Executor,
  hours: number,
): Promise<{ pool: string; piece: number; slots: number; busy: number }[]> {
  const pieceSeconds = (hours * 3600) / pieceCount;
  const { rows } = await db.execute<{ pool: string; back: number; slots: number; busy: number }>(sql`
    SELECT DISTINCT ON (pool, back) pool, slots, busy,
      floor(extract(epoch FROM now() - at) / ${pieceSeconds}::float8)::int AS back
    FROM slot_samples WHERE at > now() - make_interval(hours => ${hours}) ORDER BY pool, back, at DESC`);
  return rows.map(({ back, ...it }) => ({ ...it, piece: pieceCount - 1 - back }));
}

/** Waiting builds of one lane of a pool. */
export interface LaneDepth {
  pool: string;
  lane: Lane;
  waiting: number;
  oldestSeconds: number;
}

/** What an account has of the queue. */
export interface AccountPart {
  accountId: string;
  account: string;
  waiting: number;
  running: number;
  weight: number;
  /** 0 for no limit. */
  runningMax: number;
}

/** The pending queue by pool and lane. */
export async function readLanes(db: Executor): Promise<LaneDepth[]> {
  const { rows } = await db.execute<LaneDepth & Record<string, unknown>>(sql`
    SELECT pool, lane, count(*)::int AS waiting, extract(epoch FROM now() - min(created_at))::int AS "oldestSeconds"
    FROM builds WHERE state = 'queued' GROUP BY pool, lane`);
  const order = (it: LaneDepth) => lanes.indexOf(it.lane);
  return rows.sort((a, b) => a.pool.localeCompare(b.pool) || order(a) - order(b));
}

/** What each account has of the pending queue and the builders, for those who run the installation. */
export async function readShares(db: Executor, defaults: Pick<DefaultLimits, 'runningMax'>): Promise<AccountPart[]> {
  const { rows } = await db.execute<AccountPart & Record<string, unknown>>(sql`
      WITH waiting AS (SELECT account_id, count(*)::int AS n FROM builds WHERE ${isPending()} GROUP BY 1),
        running AS (SELECT account_id, count(*)::int AS n FROM (${buildsUnderWay}) it GROUP BY 1)
      SELECT a.id AS "accountId", a.name AS account, coalesce(w.n, 0) AS waiting, coalesce(r.n, 0) AS running,
        coalesce(s.weight, 1) AS weight, coalesce(s.running_max, ${defaults.runningMax})::int AS "runningMax"
      FROM accounts a LEFT JOIN waiting w ON w.account_id = a.id LEFT JOIN running r ON r.account_id = a.id
        LEFT JOIN account_shares s ON s.account_id = a.id
      WHERE w.n > 0 OR r.n > 0 OR s.account_id IS NOT NULL ORDER BY waiting DESC, running DESC, a.name LIMIT 200`);
  return rows;
}
