import type { BuildPhase, BuildState } from '@kiln/domain';
import { and, asc, eq, gte, or, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { buildLogChunks, builds } from '../tables/builds.ts';

export interface LogLine {
  /** Number of the line in its attempt, from 0. */
  n: number;
  at: Date;
  /** Number of the step that it belongs to; 0 when it is no step's. */
  step: number;
  text: string;
}

/**
 * The lines of one piece of an attempt's log, at most 64 KiB of them.
 * @param from number of the first line wanted
 * @returns none when there are no more so far
 */
export async function readLogPiece(db: Executor, buildId: string, attempt: number, from: number): Promise<LogLine[]> {
  const [chunk] = await db
    .select()
    .from(buildLogChunks)
    .where(
      and(
        eq(buildLogChunks.buildId, buildId),
        eq(buildLogChunks.attempt, attempt),
        or(
          gte(buildLogChunks.firstLine, from),
          sql`${buildLogChunks.firstLine} + cardinality(${buildLogChunks.lineTimes}) > ${from}`,
        ),
      ),
    )
    .orderBy(asc(buildLogChunks.seq))
    .limit(1);
  if (!chunk) return [];
  return chunk.text
    .split('\n')
    .map((text, index) => ({
      n: chunk.firstLine + index,
      at: new Date(chunk.lineTimes[index] ?? 0),
      step: chunk.lineSteps[index] ?? 0,
      text,
    }))
    .filter((it) => it.n >= from);
}

/** An attempt's log, piece by piece, so that a long one is never held whole. */
export async function* readLog(
  db: Executor,
  buildId: string,
  attempt: number,
  from: number,
): AsyncGenerator<LogLine[]> {
  for (let next = from; ;) {
    const lines = await readLogPiece(db, buildId, attempt, next);
    const last = lines.at(-1);
    if (!last) return;
    yield lines;
    next = last.n + 1;
  }
}

/** Numbers of an attempt's first line and of the line after its last one; both 0 while it has none. */
export async function logExtent(
  db: Executor,
  buildId: string,
  attempt: number,
): Promise<{ first: number; end: number }> {
  const { rows } = await db.execute<{ first: number; end: number }>(sql`
    SELECT coalesce(min(first_line), 0)::int AS first,
      coalesce(max(first_line + cardinality(line_times)), 0)::int AS end
    FROM build_log_chunks WHERE build_id = ${buildId} AND attempt = ${attempt}`);
  return rows[0] ?? { first: 0, end: 0 };
}

/** What those who follow a build need of its row. */
export interface BuildProgress {
  state: BuildState;
  phase: BuildPhase;
  attempt: number;
  finishedAt: Date | null;
  /** Number of the Dockerfile's step that it came to last; null before the first. */
  step: number | null;
}

// By name: in a list of columns, those of the outer table come without one.
const step = sql<
  number | null
>`(SELECT max(s.number) FROM build_steps s WHERE s.build_id = builds.id AND s.attempt = builds.attempt)`;

export async function readProgress(db: Executor, buildId: string): Promise<BuildProgress | undefined> {
  const [row] = await db
    .select({ state: builds.state, phase: builds.phase, attempt: builds.attempt, finishedAt: builds.finishedAt, step })
    .from(builds)
    .where(eq(builds.id, buildId));
  return row;
}
