import { and, eq, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { watchedTags } from '../tables/watched-tags.ts';

export type WatchedTag = typeof watchedTags.$inferSelect;

/** How often tags are asked for. */
export interface TagSchedule {
  /** Seconds from one question after a tag to the next, on average. */
  everySeconds: number;
  /** Questions that all registrars together ask one registry in a minute. */
  perMinute: number;
}

/** Of one registry at a time, so that a slow one does not keep others waiting. */
const batchMax = 10;
/** For how long a registrar that has fallen silent keeps what it asks for. */
const leaseSeconds = 600;

/** Between three and five quarters of the time, so that what came together is not asked for together for ever. */
const jittered = (seconds: number) => sql`now() + make_interval(secs => ${seconds} * (0.75 + random() / 2))`;

/**
 * Takes some tags that are due, of registries that may be asked.
 * @param busy registries that are to be left out
 */
export async function claimTags(
  db: Executor,
  { everySeconds, perMinute }: TagSchedule,
  busy: readonly string[],
): Promise<WatchedTag[]> {
  await db
    .update(watchedTags)
    .set({ dueAt: jittered(everySeconds) })
    .where(sql`due_at IS NULL`);
  const { rows } = await db.execute<{ account_id: string; reference: string }>(sql`
    WITH RECURSIVE hosts AS (
      (SELECT host FROM watched_tags ORDER BY host LIMIT 1)
      UNION ALL
      SELECT (SELECT w.host FROM watched_tags w WHERE w.host > hosts.host ORDER BY w.host LIMIT 1) FROM hosts
      WHERE hosts.host IS NOT NULL
    ), waiting AS (
      SELECT hosts.host, (SELECT count(*) FROM (
        SELECT FROM watched_tags w WHERE w.host = hosts.host AND w.due_at <= now() LIMIT ${batchMax}) due) AS n
      FROM hosts WHERE hosts.host IS NOT NULL AND NOT hosts.host = ANY (${sql.param([...busy])}::text[])
        AND NOT EXISTS (SELECT FROM registry_budgets b WHERE b.host = hosts.host AND b.next_at > now())
    ), free AS (
      INSERT INTO registry_budgets AS it (host, next_at)
      SELECT host, now() + make_interval(secs => n * 60.0 / ${perMinute}::int) FROM waiting WHERE n > 0 ORDER BY host
      ON CONFLICT (host) DO UPDATE SET next_at = excluded.next_at WHERE it.next_at <= now()
      RETURNING it.host
    ), taken AS (
      SELECT due.account_id, due.reference FROM free CROSS JOIN LATERAL (
        SELECT account_id, reference FROM watched_tags w WHERE w.host = free.host AND w.due_at <= now()
        ORDER BY w.due_at LIMIT ${batchMax} FOR UPDATE SKIP LOCKED) due
    )
    UPDATE watched_tags t SET due_at = now() + make_interval(secs => ${leaseSeconds}) FROM taken
    WHERE t.account_id = taken.account_id AND t.reference = taken.reference RETURNING t.account_id, t.reference`);
  const taken = rows.map((it) => sql`(${it.account_id}, ${it.reference})`);
  if (taken.length === 0) return [];
  return db
    .select()
    .from(watchedTags)
    .where(sql`(${watchedTags.accountId}, ${watchedTags.reference}) IN (${sql.join(taken, sql`, `)})`);
}

/** A claim is somebody else's once another has taken the tag, and with that set its time anew. */
const isHeld = ({ accountId, reference, dueAt }: WatchedTag) =>
  and(
    eq(watchedTags.accountId, accountId),
    eq(watchedTags.reference, reference),
    dueAt === null ? undefined : eq(watchedTags.dueAt, dueAt),
  );

/** Writes down what a tag names; false when the claim is stale. */
export async function recordTag(
  tx: Executor,
  tag: WatchedTag,
  found: { digest: string | undefined; members: string[] },
  { everySeconds }: TagSchedule,
): Promise<boolean> {
  const { rowCount } = await tx
    .update(watchedTags)
    .set({
      digest: found.digest ?? null,
      members: found.members,
      askedAt: sql`now()`,
      dueAt: jittered(everySeconds),
      failure: '',
      failures: 0,
    })
    .where(isHeld(tag));
  return rowCount === 1;
}

/** Puts a tag off whose registry did not say what it names. */
export const putOffTag = async (db: Executor, tag: WatchedTag, failure: string, delayMs: number): Promise<void> =>
  void (await db
    .update(watchedTags)
    .set({ failure, failures: tag.failures + 1, dueAt: sql`now() + make_interval(secs => ${delayMs / 1000})` })
    .where(isHeld(tag)));

/** Leaves a registry alone for a while longer: for questions that it was asked beside those after tags, or at its wish. */
export const spareRegistry = async (db: Executor, host: string, ms: number): Promise<void> =>
  void (await db.execute(sql`
    UPDATE registry_budgets SET next_at = greatest(next_at, now()) + make_interval(secs => ${ms / 1000}) WHERE host = ${host}`));

/** Nothing in the catalogue has the tag any more, or was made from it. */
export const forgetTag = async (tx: Executor, tag: WatchedTag): Promise<void> =>
  void (await tx.delete(watchedTags).where(isHeld(tag)));

/** Watches tags that were forgotten in the very moment in which an image came that has them. */
export const watchForgottenTags = async (db: Executor): Promise<void> =>
  void (await db.execute(sql`
    INSERT INTO watched_tags (account_id, reference, host, registry_connection_id)
    SELECT m.account_id, m.host || '/' || m.repository || ':' || m.tag, m.host, m.registry_connection_id
    FROM images m WHERE m.status = 'ACTIVE' AND NOT EXISTS (SELECT FROM watched_tags w
      WHERE w.account_id = m.account_id AND w.reference = m.host || '/' || m.repository || ':' || m.tag)
    ON CONFLICT DO NOTHING`));
