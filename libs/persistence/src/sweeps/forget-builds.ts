import type { Executor } from '../db/database.ts';
import { sql } from 'drizzle-orm';
import { heldStatus } from '../tables/images.ts';

/** A place among the builds that have ended, in the order in which they ended. */
export interface EndedCursor {
  finishedAt: string;
  id: string;
}

export const firstEnded: EndedCursor = { finishedAt: '-infinity', id: '' };

/** Logs may be large, and a statement is ended after some seconds. */
const lookedAtOnce = 100;

/**
 * Forgets what is old of the next builds in the order of their ends: of those that ended more than `logs` days ago
 * the log, of which one line is left that says so; of those that ended more than `builds` days ago all that is known,
 * unless their image is in the catalogue, or nobody set their tag after them. 0 forgets nothing.
 * @returns where to go on, or undefined when the last old build was looked at
 */
export async function forgetBuilds(
  db: Executor,
  { logs: logDays, builds: buildDays }: { logs: number; builds: number },
  after: EndedCursor = firstEnded,
): Promise<EndedCursor | undefined> {
  const ages = [logDays, buildDays].filter((it) => it > 0);
  if (ages.length === 0) return undefined;
  const age = (days: number) => sql`now() - make_interval(days => ${days})`;
  const line = `kiln: this log was removed after ${logDays} days`;
  const { rows } = await db.execute<{ finished_at: string; id: string; n: number }>(sql`
    WITH old AS (
      SELECT id, finished_at, attempt FROM builds
      WHERE finished_at < ${age(Math.min(...ages))} AND (finished_at, id) > (${after.finishedAt}::timestamptz, ${after.id})
      ORDER BY finished_at, id LIMIT ${lookedAtOnce}
    ), gone AS (
      DELETE FROM builds WHERE ${buildDays} > 0 AND id IN (
        SELECT id FROM old WHERE finished_at < ${age(buildDays)}
          AND NOT EXISTS (
            SELECT FROM images WHERE images.build_id = old.id AND (images.pending OR ${sql.raw(heldStatus)}))
          -- Whose tag it is says the build that set it last.
          AND NOT EXISTS (
            SELECT FROM tag_moves t WHERE t.build_id = old.id AND NOT EXISTS (
              SELECT FROM tag_moves later WHERE (later.host, later.repository, later.tag) = (t.host, t.repository, t.tag)
                AND later.seq > t.seq)))
    ), shortened AS (
      SELECT id, attempt, finished_at FROM old WHERE ${logDays} > 0 AND finished_at < ${age(logDays)}
        AND EXISTS (SELECT FROM build_log_chunks WHERE build_id = old.id
          AND (seq > 0 OR cardinality(line_times) > 1 OR attempt <> old.attempt))
    ), removed AS (
      DELETE FROM build_log_chunks c USING shortened s
      WHERE c.build_id = s.id AND (c.attempt, c.seq) <> (s.attempt, 0)
    ), told AS (
      UPDATE build_log_chunks c SET text = ${line}, first_line = 0, line_steps = '{0}',
        line_times = ARRAY[(extract(epoch FROM now()) * 1000)::bigint]
      FROM shortened s WHERE c.build_id = s.id AND c.attempt = s.attempt AND c.seq = 0
    )
    SELECT finished_at::text, id, (SELECT count(*)::int FROM old) AS n FROM old ORDER BY finished_at DESC, id DESC LIMIT 1`);
  const [last] = rows;
  return last && last.n === lookedAtOnce ? { finishedAt: last.finished_at, id: last.id } : undefined;
}
