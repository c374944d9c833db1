import { type BuildState, lanes, type Lane, liveStates } from '@kiln/schemas';
import { and, sql } from 'drizzle-orm';
import { buildsSeenBy } from './build-queries.ts';
import { type Executor } from './database.ts';
import { type Viewer } from './identity.ts';
import { builds } from './tables/builds.ts';
import { buildsUnderWay, liveBuilders } from './waiting-room/dispatch.ts';
import { type DefaultLimits } from './waiting-room/limits.ts';

/** What ended in one piece of time. */
export interface Ends {
  at: Date;
  succeeded: number;
  failed: number;
  cancelled: number;
}

/** A viewer's builds of the last hours, in figures. */
export interface Overview {
  /** Builds that have not ended, by state. */
  live: Partial<Record<BuildState, number>>;
  /** How long the oldest waiting build has waited, in seconds. */
  oldestWaitingSeconds: number | null;
  ends: Ends[];
  /** What failed builds said, the most frequent first. */
  failures: { code: string; reason: string | null; n: number }[];
  /** Seconds from first attempt to end of builds that succeeded. */
  took: { median: number | null; slow: number | null };
}

/** @param hours how far back; the ends come in 48 equal pieces of it */
export async function lookAtBuilds(db: Executor, viewer: Viewer, hours: number): Promise<Overview> {
  const pieces = 48;
  const pieceSeconds = (hours * 3600) / pieces;
  const seen = buildsSeenBy(viewer);
  const since = sql`${builds.finishedAt} > now() - make_interval(hours => ${hours})`;
  const [live, ends, failures, took] = await Promise.all([
    db.execute<{ state: BuildState; n: number; oldest: number | null }>(sql`
      SELECT state, count(*)::int AS n, extract(epoch FROM now() - min(created_at))::int AS oldest FROM builds
      WHERE ${and(seen, sql`${builds.state} IN (${sql.raw(liveStates.map((it) => `'${it}'`).join(', '))})`)} GROUP BY state`),
    db.execute<{ piece: number; state: string; n: number }>(sql`
      SELECT floor(extract(epoch FROM now() - finished_at) / ${pieceSeconds})::int AS piece, state, count(*)::int AS n FROM builds
      WHERE ${and(seen, since)} GROUP BY 1, 2`),
    db.execute<{ code: string; reason: string | null; n: number }>(sql`
      SELECT error->>'code' AS code, error->>'reason' AS reason, count(*)::int AS n FROM builds
      WHERE ${and(seen, since, sql`${builds.state} IN ('failed', 'timed_out', 'expired')`)} GROUP BY 1, 2 ORDER BY n DESC, 1 LIMIT 8`),
    db.execute<{ median: number | null; slow: number | null }>(sql`
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS median, percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS slow
      FROM (SELECT extract(epoch FROM finished_at - started_at)::float8 AS took FROM builds
            WHERE ${and(seen, since, sql`${builds.state} = 'succeeded'`)}) it`),
  ]);
  const now = Date.now();
  const at = (piece: number) => new Date(now - (piece + 1) * pieceSeconds * 1000);
  const sums: Ends[] = Array.from({ length: pieces }, (_, n) => ({
    at: at(pieces - 1 - n),
    succeeded: 0,
    failed: 0,
    cancelled: 0,
  }));
  for (const { piece, state, n } of ends.rows) {
    const sum = sums[pieces - 1 - piece];
    if (sum) sum[state === 'succeeded' || state === 'cancelled' ? state : 'failed'] += n;
  }
  return {
    live: Object.fromEntries(live.rows.map((it) => [it.state, it.n])),
    oldestWaitingSeconds: live.rows.find((it) => it.state === 'queued')?.oldest ?? null,
    ends: sums,
    failures: failures.rows,
    took: took.rows[0] ?? { median: null, slow: null },
  };
}

/** How busy the builders of every pool are. */
export async function lookAtSlots(db: Executor): Promise<{ pool: string; slots: number; busy: number }[]> {
  const { rows } = await db.execute<{ pool: string; slots: number; busy: number }>(sql`
    SELECT pool, coalesce(sum(slots), 0)::int AS slots, coalesce(sum(busy), 0)::int AS busy FROM (
      SELECT pool, slots, 0 AS busy FROM (${liveBuilders}) builders
      UNION ALL SELECT pool, 0, 1 FROM (${buildsUnderWay}) under_way
    ) it GROUP BY pool ORDER BY pool`);
  return rows;
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

/** The waiting room by pool and lane. */
export async function lookAtLanes(db: Executor): Promise<LaneDepth[]> {
  const { rows } = await db.execute<LaneDepth & Record<string, unknown>>(sql`
    SELECT pool, lane, count(*)::int AS waiting, extract(epoch FROM now() - min(created_at))::int AS "oldestSeconds"
    FROM builds WHERE state = 'queued' GROUP BY pool, lane`);
  const order = (it: LaneDepth) => lanes.indexOf(it.lane);
  return rows.sort((a, b) => a.pool.localeCompare(b.pool) || order(a) - order(b));
}

/** What each account has of the waiting room and the builders, for those who run the installation. */
export async function lookAtShares(db: Executor, defaults: Pick<DefaultLimits, 'runningMax'>): Promise<AccountPart[]> {
  const { rows } = await db.execute<AccountPart & Record<string, unknown>>(sql`
      WITH waiting AS (SELECT account_id, count(*)::int AS n FROM builds WHERE state = 'queued' AND admitted_at IS NULL GROUP BY 1),
        running AS (SELECT account_id, count(*)::int AS n FROM (${buildsUnderWay}) it GROUP BY 1)
      SELECT a.id AS "accountId", a.name AS account, coalesce(w.n, 0) AS waiting, coalesce(r.n, 0) AS running,
        coalesce(s.weight, 1) AS weight, coalesce(s.running_max, ${defaults.runningMax})::int AS "runningMax"
      FROM accounts a LEFT JOIN waiting w ON w.account_id = a.id LEFT JOIN running r ON r.account_id = a.id
        LEFT JOIN account_shares s ON s.account_id = a.id
      WHERE w.n > 0 OR r.n > 0 OR s.account_id IS NOT NULL ORDER BY waiting DESC, running DESC, a.name LIMIT 200`);
  return rows;
}
