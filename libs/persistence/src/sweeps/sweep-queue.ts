import { timings } from '@kiln/kit';
import { sql } from 'drizzle-orm';
import { type Database, inTransaction } from '../db/database.ts';
import { announce, announceBuild, announceRegistration } from '../outbox/outbox.ts';

/**
 * Tells the queue again of work that is due and that nobody took, since Redis may have lost it, or the worker that fetched
 * it may have died. Told twice it is done once: whoever comes second claims nothing. What has waited long is told less
 * often, down to once a minute: most often it waits for a free worker.
 * @param afterSeconds how long something may go unheard; 0 tells of everything, as after the loss of all of Redis
 */
export const republishStale = (db: Database, afterSeconds: number): Promise<number> =>
  inTransaction(db, async (tx) => {
    const all = afterSeconds === 0;
    const told = async (table: 'builds' | 'images', since: string, where: string) => {
      const { rows } = await tx.execute<{ id: string; attempt: number; pool: string; trace: string | null }>(sql`
        UPDATE ${sql.raw(table)} SET announced_at = now() WHERE id IN (
          SELECT id FROM ${sql.raw(table)}
          WHERE ${sql.raw(where)} AND not_before <= now() AND lease_until IS NULL
            AND (${all} OR greatest(announced_at, not_before) <= now()
              - greatest(make_interval(secs => ${afterSeconds}), least(announced_at - greatest(${sql.raw(since)}, not_before), interval '1 minute')))
          LIMIT ${all ? 100_000 : 500} FOR UPDATE SKIP LOCKED)
        RETURNING id::text AS id, attempt, ${sql.raw(table === 'builds' ? 'pool, trace' : "'' AS pool, NULL AS trace")}`);
      return rows;
    };
    const admitted = await told(
      'builds',
      'admitted_at',
      `state = 'queued' AND admitted_at IS NOT NULL
      AND (kept_on IS NULL OR admitted_at < now() - interval '${timings.storePatienceMs} milliseconds')`,
    );
    const pushed = await told('builds', 'updated_at', `state = 'registering'`);
    const pending = await told('images', 'updated_at', 'pending');
    await announce(
      tx,
      ...admitted.map(announceBuild),
      ...pushed.map(({ id, attempt, trace }) => announceRegistration('build', id, attempt, { trace })),
      ...pending.map((it) => announceRegistration('image', it.id, it.attempt)),
    );
    return admitted.length + pushed.length + pending.length;
  });
