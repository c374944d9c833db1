import type { StepResult } from '@kiln/domain';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { buildSteps } from '../tables/builds.ts';

export type BuildStep = typeof buildSteps.$inferSelect;

/** How far an attempt has come with a step. */
export interface StepProgress {
  number: number;
  stage: number;
  instruction: string;
  lines: [number, number];
  logLine: number;
  /** Number of the log's next line, once it has ended. */
  logEnd?: number;
  startedAt: Date;
  ended?: { at: Date; result: StepResult; exitCode?: number | undefined };
}

/** Writes how far an attempt has come. Nothing happens when the fence is stale. */
export async function recordSteps(
  db: Executor,
  attempt: { id: string; attempt: number; fence: number },
  steps: readonly StepProgress[],
): Promise<void> {
  const rows = steps.map((it) => ({
    number: it.number,
    stage: it.stage,
    instruction: it.instruction,
    first_line: it.lines[0],
    last_line: it.lines[1],
    log_line: it.logLine,
    log_end: it.logEnd ?? null,
    started_at: it.startedAt,
    ended_at: it.ended?.at ?? null,
    result: it.ended?.result ?? null,
    exit_code: it.ended?.exitCode ?? null,
  }));
  await db.execute(sql`
    INSERT INTO build_steps
    SELECT it.* FROM builds b, json_populate_recordset(NULL::build_steps, ${JSON.stringify(
      rows.map((row) => ({ build_id: attempt.id, attempt: attempt.attempt, ...row })),
    )}::json) AS it
    WHERE b.id = ${attempt.id} AND b.fence = ${attempt.fence} AND b.attempt = ${attempt.attempt}::int
    ON CONFLICT (build_id, attempt, number) DO UPDATE
      SET log_end = excluded.log_end, ended_at = excluded.ended_at, result = excluded.result, exit_code = excluded.exit_code`);
}

export const listSteps = (db: Executor, buildId: string): Promise<BuildStep[]> =>
  db
    .select()
    .from(buildSteps)
    .where(eq(buildSteps.buildId, buildId))
    .orderBy(asc(buildSteps.attempt), asc(buildSteps.startedAt), asc(buildSteps.number));

/**
 * Where a step's lines are in its attempt's log: from the first to before the end, which is unknown while the step
 * runs. Those of steps that ran beside it may lie between them.
 * @returns undefined when the attempt has not come to that step
 */
export async function linesOfStep(
  db: Executor,
  buildId: string,
  attempt: number,
  number: number,
): Promise<{ first: number; end: number | undefined } | undefined> {
  const [found] = await db
    .select({ first: buildSteps.logLine, end: buildSteps.logEnd })
    .from(buildSteps)
    .where(and(eq(buildSteps.buildId, buildId), eq(buildSteps.attempt, attempt), eq(buildSteps.number, number)));
  return found && { first: found.first, end: found.end ?? undefined };
}
