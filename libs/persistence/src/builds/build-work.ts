import { metrics, timings } from '@kiln/kit';
import { type BuildPhase, type BuildRequest, commonPool } from '@kiln/domain';
import { and, eq, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { type Build, builds } from '../tables/builds.ts';
import { eventOfMoved } from './move-build.ts';

/** When a lease that begins now ends, in the database's time. */
export const newLease = sql.raw(`now() + interval '${timings.leaseMs} milliseconds'`);

/**
 * Takes a queued build for an attempt: counts the attempt, draws a fence and starts the lease.
 * @param attempt the attempt number that the queue's job names: a stale or doubled job finds another one and gets
 * nothing
 * @param pool whose builds the worker takes
 */
export async function claimBuild(
  db: Executor,
  id: string,
  attempt: number,
  worker: string,
  pool = commonPool,
): Promise<Build | undefined> {
  const moved = db.$with('moved').as(
    db
      .update(builds)
      .set({
        state: 'assigned',
        phase: 'prepare',
        attempt: sql`${builds.attempt} + 1`,
        fence: sql`nextval('fences')`,
        worker,
        leaseUntil: newLease,
        phaseStartedAt: sql`now()`,
        outputAt: null,
        startedAt: sql`coalesce(${builds.startedAt}, now())`,
        updatedAt: sql`now()`,
      })
      .where(
        and(
          eq(builds.id, id),
          eq(builds.attempt, attempt),
          eq(builds.state, 'queued'),
          eq(builds.pool, pool),
          sql`${builds.notBefore} <= now()`,
        ),
      )
      .returning(),
  );
  const begun = db.$with('begun', {}).as(sql`
    INSERT INTO build_attempts (build_id, attempt, fence, worker, placement)
    SELECT id, attempt, fence, worker, CASE WHEN placement->>'on' = worker THEN placement END FROM moved`);
  const [build] = await db
    .with(moved, begun, eventOfMoved(db, `taken by ${worker}`))
    .select()
    .from(moved);
  return build;
}

/** Ends the phase that an attempt was in, and names the next one. Nothing happens when the fence is stale. */
export async function recordPhase(
  db: Executor,
  attempt: { id: string; attempt: number; fence: number },
  ended: { phase: BuildPhase; startedAtMs: number; result: 'ok' | 'failed' | 'cancelled'; bytes?: number },
  next?: BuildPhase,
): Promise<void> {
  const seconds = Math.max(0, (Date.now() - ended.startedAtMs) / 1000);
  metrics.phaseSeconds.observe({ phase: ended.phase, result: ended.result }, seconds);
  if (ended.bytes !== undefined) metrics.registryBytes.inc(ended.bytes);
  await db.execute(sql`
    WITH held AS (
      UPDATE builds SET updated_at = now(),
        -- Past the commit point a build stays there, however often its registration is done again.
        phase = CASE WHEN phase = 'tag' THEN phase ELSE coalesce(${next ?? null}::text, phase) END,
        phase_started_at = now()
      WHERE id = ${attempt.id} AND fence = ${attempt.fence} RETURNING id
    )
    INSERT INTO build_phases (build_id, attempt, phase, started_at, ended_at, result, bytes)
    SELECT id, ${attempt.attempt}::int, ${ended.phase}, to_timestamp(${ended.startedAtMs / 1000}), now(),
      ${ended.result},
      ${ended.bytes ?? null}::int8 FROM held
    ON CONFLICT (build_id, attempt, phase) DO UPDATE
      SET ended_at = excluded.ended_at, result = excluded.result, bytes = excluded.bytes`);
}

export interface LogChunk {
  seq: number;
  firstLine: number;
  lineTimes: number[];
  lineSteps: number[];
  text: string;
}

/**
 * Appends a piece of an attempt's log. Writing the same piece again changes nothing.
 * @returns false when the attempt no longer holds the build
 */
export async function appendLog(
  db: Executor,
  attempt: { id: string; attempt: number; fence: number },
  chunk: LogChunk,
): Promise<boolean> {
  const { rowCount } = await db.execute(sql`
    INSERT INTO build_log_chunks (build_id, attempt, seq, first_line, line_times, line_steps, text)
    SELECT id, ${attempt.attempt}::int, ${chunk.seq}::int, ${chunk.firstLine}::int,
      ${`{${chunk.lineTimes.join(',')}}`}::int8[], ${`{${chunk.lineSteps.join(',')}}`}::int4[], ${chunk.text}
    FROM builds WHERE id = ${attempt.id} AND fence = ${attempt.fence} AND attempt = ${attempt.attempt}::int
    ON CONFLICT DO NOTHING`);
  return (rowCount ?? 0) > 0;
}

/**
 * Writes down what a request has come to: the files and the Dockerfile that it named by an address. Nothing happens
 * when the fence is stale.
 * @returns whether it was written
 */
export async function settleRequest(
  db: Executor,
  { id, fence }: Pick<Build, 'id' | 'fence'>,
  request: BuildRequest,
): Promise<boolean> {
  const { rowCount } = await db
    .update(builds)
    .set({ request, updatedAt: sql`now()` })
    .where(and(eq(builds.id, id), eq(builds.fence, fence)));
  return rowCount === 1;
}
