import { type Database, runPrepared } from '../db/database.ts';
import { undispatchedEvents } from '../events/webhook-deliveries.ts';
import { isLiveSql, isPendingSql } from '../builds/state-conditions.ts';

/** Which kinds of work a registrar has. */
export interface WorkAtHand {
  /** Outbox rows are due. */
  outbox: boolean;
  /** Builds wait that may be admitted. */
  waiting: boolean;
  /** Events have no deliveries yet. */
  events: boolean;
  /** Deliveries to webhooks are due. */
  deliveries: boolean;
  /** Images wait to be read. */
  inspections: boolean;
  /** Images wait to be held against a policy, or to go on on their way out. */
  checks: boolean;
  /** Documents wait to be attached to images. */
  attestations: boolean;
  /** Registries are to be asked what they hold. */
  tags: boolean;
  /** Builds or registrations are under way, which a sweep may have to mend. */
  underWay: boolean;
}

// By the index, one entry for each webhook. What waits for one that is not used any more is to be given up.
const dueDeliveries = `
  SELECT 1 FROM webhooks w WHERE (SELECT next_at FROM webhook_deliveries d
    WHERE d.webhook_id = w.id AND d.state = 'waiting'
      ORDER BY next_at LIMIT 1) <= CASE WHEN w.enabled THEN now() ELSE 'infinity' END`;

// The first of an order, rather than EXISTS: by the index always, whatever is guessed of how many there are. A guess of
// many makes EXISTS read the whole table, to find nothing.
const statement = `
  SELECT EXISTS (SELECT 1 FROM outbox WHERE not_before <= now()) AS outbox,
    EXISTS (SELECT 1 FROM builds WHERE ${isPendingSql()} AND not_before <= now()) AS waiting,
    (${undispatchedEvents}) IS NOT NULL AS events, EXISTS (${dueDeliveries}) AS deliveries,
    EXISTS (SELECT 1 FROM inspections WHERE state IN ('waiting', 'reading') AND not_before <= now()) AS inspections,
    EXISTS (SELECT 1 FROM images WHERE policy_due)
      OR coalesce((SELECT retire_at FROM images WHERE retire_at IS NOT NULL ORDER BY retire_at LIMIT 1) <= now(), false)
      AS checks,
    EXISTS (SELECT 1 FROM attestations WHERE state IN ('waiting', 'writing') AND not_before <= now()) AS attestations,
    coalesce((SELECT due_at FROM watched_tags ORDER BY due_at LIMIT 1) <= now(), false)
      OR coalesce((SELECT due_at IS NULL FROM watched_tags ORDER BY due_at DESC LIMIT 1), false) AS tags,
    EXISTS (SELECT 1 FROM builds WHERE ${isLiveSql()}) OR EXISTS (SELECT 1 FROM images WHERE pending) AS "underWay"`;

/** Asks, in one statement, whether there is anything to do. */
export async function readWorkAtHand(db: Database): Promise<WorkAtHand> {
  const { rows } = await runPrepared<WorkAtHand>(db, 'look-for-work', statement, []);
  const [work] = rows;
  if (!work) throw new Error('a statement without a FROM has one row');
  return work;
}
