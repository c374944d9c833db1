import { lanes, type WaitingReason, ageingSeconds, startTag } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { isPending } from '../builds/state-conditions.ts';
import type { Database } from '../db/database.ts';
import type { Build } from '../tables/builds.ts';
import { buildsUnderWay, liveBuilders } from './dispatch.ts';
import type { DefaultLimits } from './limits.ts';

/** The pending queue of one pool as a whole, at one moment. */
export interface QueueSnapshot {
  slots: number;
  underWay: number;
  virtualTime: number;
  accounts: Map<string, AccountInLine>;
  /**
   * How long builds took lately, in seconds, from their first attempt to their end; absent while too few have ended.
   */
  took?: { quick: number; slow: number };
}

interface AccountInLine {
  waiting: number;
  running: number;
  weight: number;
  runningMax: number;
  finishTag: number;
}

/** Where a waiting build stands. */
export interface PlaceInLine {
  reason: WaitingReason;
  /** Builds that are likely to start before it. */
  ahead: number;
  /** When it is likely to start; absent when there is nothing to tell it from. */
  start?: { earliest: Date; latest: Date };
}

// Fewer say nothing about the next.
const endedMin = 5;

export async function readQueueSnapshot(
  db: Database,
  pool: string,
  defaults: Pick<DefaultLimits, 'runningMax'>,
): Promise<QueueSnapshot> {
  const [totals, accounts] = await Promise.all([
    db.execute<{ slots: number; under_way: number; time: number; ended: number; quick: number; slow: number }>(sql`
      WITH lately AS (
        SELECT extract(epoch FROM finished_at - started_at)::float8 AS took FROM builds
        WHERE pool = ${pool} AND state IN ('succeeded', 'failed') AND started_at IS NOT NULL
          AND finished_at > now() - interval '1 day'
        ORDER BY finished_at DESC LIMIT 200
      )
      SELECT (SELECT coalesce(sum(slots), 0) FROM (${liveBuilders}) it WHERE pool = ${pool})::int AS slots,
        (SELECT count(*) FROM (${buildsUnderWay}) it WHERE pool = ${pool})::int AS under_way,
        coalesce((SELECT virtual_time FROM pool_turns WHERE pool = ${pool}), 0)::float8 AS time,
        count(took)::int AS ended,
        coalesce(percentile_cont(0.1) WITHIN GROUP (ORDER BY took), 0) AS quick,
        coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY took), 0) AS slow
      FROM lately`),
    db.execute<{
      account_id: string;
      waiting: number;
      running: number;
      weight: number | null;
      running_max: number | null;
      finish_tag: number | null;
    }>(sql`
      WITH waiting AS (
        SELECT account_id, count(*)::int AS n FROM builds
        WHERE pool = ${pool} AND ${isPending()} GROUP BY account_id
      ), running AS (SELECT account_id, count(*)::int AS n FROM (${buildsUnderWay}) it GROUP BY account_id)
      SELECT waiting.account_id, waiting.n AS waiting, coalesce(running.n, 0) AS running, s.weight, s.running_max,
        turn.finish_tag
      FROM waiting LEFT JOIN running USING (account_id) LEFT JOIN account_shares s USING (account_id)
        LEFT JOIN account_turns turn ON turn.account_id = waiting.account_id AND turn.pool = ${pool}`),
  ]);
  const total = totals.rows[0];
  return {
    slots: total?.slots ?? 0,
    underWay: total?.under_way ?? 0,
    virtualTime: total?.time ?? 0,
    accounts: new Map(
      accounts.rows.map((it) => [
        it.account_id,
        {
          waiting: it.waiting,
          running: it.running,
          weight: it.weight ?? 1,
          runningMax: (it.running_max ?? defaults.runningMax) || Infinity,
          finishTag: it.finish_tag ?? 0,
        },
      ]),
    ),
    ...(total && total.ended >= endedMin ? { took: { quick: total.quick, slow: total.slow } } : {}),
  };
}

/** How many of its own account's builds go before a build, in the dispatcher's own order. */
export async function countOwnAhead(db: Database, build: Pick<Build, 'id' | 'accountId'>): Promise<number> {
  const rank = (of: string) =>
    sql.raw(`greatest(0, array_position('{${lanes.join(',')}}'::text[], ${of}.lane) - 1
      - floor(extract(epoch FROM now() - ${of}.created_at) / ${ageingSeconds}))`);
  const { rows } = await db.execute<{ n: number }>(sql`
    SELECT count(*)::int AS n FROM builds own JOIN builds other ON other.account_id = own.account_id
    WHERE own.id = ${build.id} AND other.account_id = ${build.accountId} AND other.pool = own.pool
      AND ${isPending('other.')}
      AND (${rank('other')}, other.created_at, other.id) < (${rank('own')}, own.created_at, own.id)`);
  return rows[0]?.n ?? 0;
}

/**
 * Where a build stands, by the same rule that the dispatcher chooses by. What arrives later can still go before it, and
 * the builds before it may take longer or shorter than the last ones did: hence a range.
 */
export function placeInLine(
  snapshot: QueueSnapshot,
  build: Pick<Build, 'accountId' | 'admittedAt' | 'notBefore' | 'heldAt'>,
  ownAhead: number,
  now: Date,
): PlaceInLine {
  if (build.admittedAt) return { reason: snapshot.slots === 0 ? 'NoBuilder' : 'Starting', ahead: 0 };
  const own = snapshot.accounts.get(build.accountId);
  const weight = own?.weight ?? 1;
  const start = startTag(own ?? { finishTag: 0 }, snapshot.virtualTime) + ownAhead / weight;
  let ahead = ownAhead;
  for (const [id, other] of snapshot.accounts) {
    if (id === build.accountId) continue;
    const before = (start - startTag(other, snapshot.virtualTime)) * other.weight;
    ahead += Math.min(other.waiting, Math.max(0, Math.floor(before) + 1));
  }
  const backOffMs = build.notBefore.getTime() - now.getTime();
  const reason = reasonOf(snapshot, own, ahead, backOffMs, build.heldAt !== null);
  const range =
    reason === 'NoBuilder' ? undefined : startRange(snapshot, own, ahead, ownAhead, Math.max(0, backOffMs), now);
  return { reason, ahead, ...(range ? { start: range } : {}) };
}

function reasonOf(
  { slots, underWay }: QueueSnapshot,
  own: AccountInLine | undefined,
  ahead: number,
  backOffMs: number,
  isHeld: boolean,
): WaitingReason {
  if (slots === 0) return 'NoBuilder';
  if (backOffMs > 0) return 'BackOff';
  if (own && own.running >= own.runningMax) return 'AccountLimit';
  if (ahead >= slots - underWay) return 'SlotsBusy';
  return isHeld ? 'HeldForCache' : 'Starting';
}

function startRange(
  { slots, underWay, took }: QueueSnapshot,
  own: AccountInLine | undefined,
  ahead: number,
  ownAhead: number,
  backOffMs: number,
  now: Date,
): PlaceInLine['start'] {
  if (!took) return undefined;
  // Builds that have to end before this one can start, for every slot or for every one that its account may use.
  const waves = (before: number, busy: number, width: number): number =>
    width === Infinity ? 0 : Math.max(0, before + busy - width + 1) / width;
  const needed = Math.max(
    waves(ahead, underWay, slots),
    waves(ownAhead, own?.running ?? 0, own?.runningMax ?? Infinity),
  );
  const at = (ms: number) => new Date(now.getTime() + backOffMs + ms);
  // Those under way may be about to end, or have just begun.
  return {
    earliest: at(Math.max(0, Math.ceil(needed) - 1) * took.quick * 1000),
    latest: at((Math.ceil(needed) + (needed > 0 ? 1 : 0)) * took.slow * 1000 + 1000),
  };
}
