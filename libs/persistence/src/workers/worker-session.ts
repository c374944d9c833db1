import { type Secret, timings } from '@kiln/kit';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { isHeldSql, isLiveSql } from '../builds/state-conditions.ts';
import { type Executor, readUrl } from '../db/database.ts';
import { workerLocks } from '../db/locks.ts';
import type { WorkerAbout } from '../tables/workers.ts';
import { allTenants, tenantOption } from '../db/tenant-pool.ts';

/** A claim whose lease is to be renewed. */
export interface HeldClaim {
  kind: 'build' | 'image';
  id: string;
  fence: number;
  /** Milliseconds since the build's step last printed something; undefined while no step runs. */
  idleMs?: number | undefined;
}

export interface RenewedClaim {
  id: string;
  fence: number;
  /** Somebody asked to cancel it. */
  cancelled: boolean;
  /** False when its row is being written to just now: it is still held, and was not renewed. */
  renewed: boolean;
}

/** Of a claim; without an id it is of the worker, and says whether that is cordoned. */
interface RenewalRow extends pg.QueryResultRow {
  id: string | null;
  fence: string;
  cancelled: boolean;
  renewed: boolean;
  forget: string[] | null;
}

/** A worker process as PostgreSQL sees it: one connection, which holds its lock and renews all its leases. */
export interface WorkerSession {
  /**
   * Renews leases and tells that the worker lives.
   * @returns those that the worker still holds
   * @throws Error when PostgreSQL does not answer within `renewalAnswerMs`
   */
  renew(claims: HeldClaim[]): Promise<RenewedClaim[]>;
  /** From now on no work is meant for this worker. Best effort: nothing depends on it but the speed of others. */
  drain(): Promise<void>;
  close: () => Promise<void>;
}

const retryMs = 250;

const register = `
  INSERT INTO workers (name, app, slots, pool) VALUES ($1, $2, $3, $4)
  ON CONFLICT (name) DO UPDATE SET seen_at = now() RETURNING number`;

// Rows that others are writing to are left out: one of them that hangs must not cost the worker all its leases.
const renewal = `
  WITH seen AS (UPDATE workers w SET seen_at = now(), draining = $5, about = $8::jsonb, forget = '{}'
    FROM (SELECT forget FROM workers WHERE name = $1 FOR UPDATE) before WHERE w.name = $1
    RETURNING w.cordoned, before.forget),
  claims AS (SELECT * FROM unnest($2::text[], $3::int8[], $4::int8[]) AS it (id, fence, quiet_ms)),
  held_builds AS (
    SELECT b.id, b.fence, claims.quiet_ms, b.cancel_requested_at IS NOT NULL AS cancelled FROM builds b
      JOIN claims USING (id, fence)
    WHERE b.lease_until IS NOT NULL AND ${isHeldSql('b.')}
  ),
  held_images AS (
    SELECT i.id, i.fence FROM images i JOIN unnest($6::uuid[], $7::int8[]) AS it (id, fence) USING (id, fence)
    WHERE i.pending AND i.lease_until IS NOT NULL
  ),
  renewed_builds AS (
    UPDATE builds b SET lease_until = now() + interval '${timings.leaseMs} milliseconds',
      output_at = coalesce(now() - make_interval(secs => held_builds.quiet_ms / 1000.0), b.output_at)
    FROM held_builds WHERE b.id = held_builds.id AND b.fence = held_builds.fence AND b.lease_until IS NOT NULL
      AND b.id IN (SELECT id FROM builds WHERE id = ANY($2::text[]) FOR UPDATE SKIP LOCKED)
    RETURNING b.id
  ),
  renewed_images AS (
    UPDATE images i SET lease_until = now() + interval '${timings.leaseMs} milliseconds'
    FROM held_images WHERE i.id = held_images.id AND i.fence = held_images.fence AND i.lease_until IS NOT NULL
      AND i.id IN (SELECT id FROM images WHERE id = ANY($6::uuid[]) FOR UPDATE SKIP LOCKED)
    RETURNING i.id
  )
  SELECT id, fence, cancelled, id IN (SELECT id FROM renewed_builds) AS renewed, NULL::text[] AS forget
    FROM held_builds
  UNION ALL SELECT id::text, fence, false, id IN (SELECT id FROM renewed_images), NULL FROM held_images
  UNION ALL SELECT NULL, NULL, cordoned, false, forget FROM seen`;

/**
 * Announces a worker and keeps its connection: when it breaks, it is made anew at once, and the lock taken again. The
 * lock is a shared one, so that the process does not wait for its own predecessor that PostgreSQL has not missed yet.
 */
export function openWorkerSession(
  url: Secret,
  worker: {
    name: string;
    app: string;
    slots: number;
    pool?: string;
    /** What it says of itself, asked at each renewal. */
    about?: () => WorkerAbout;
    /** Told when an operator wants it to take nothing new, or to take work again. */
    onCordon?: (cordoned: boolean) => void;
    /** Told when an operator wants the caches of some accounts removed. */
    onForget?: (accounts: string[]) => void;
  },
  onError: (error: Error) => void,
): WorkerSession {
  let client: Promise<pg.Client> | undefined;
  let current: pg.Client | undefined;
  let draining = false;
  let cordoned = false;
  let closed = false;
  let again: NodeJS.Timeout | undefined;

  const connect = async (): Promise<pg.Client> => {
    const { connectionString, options } = readUrl(url);
    const made = new pg.Client({
      connectionString,
      connectionTimeoutMillis: timings.renewalAnswerMs,
      query_timeout: timings.renewalAnswerMs,
      keepAlive: true,
      // A worker that is cut off without a word is given up by the server, too.
      options: [...options, `-c idle_session_timeout=${timings.silentSessionMs}`, tenantOption(allTenants)].join(' '),
    });
    // Of a connection that was given up already, nothing matters any more.
    const lost = (error: Error) => current === made && lose(error);
    made.on('error', lost);
    made.on('end', () => lost(new Error('the connection of the worker has ended')));
    current = made;
    try {
      await made.connect();
      const { rows } = await made.query<{ number: number }>(register, [
        worker.name,
        worker.app,
        worker.slots,
        worker.pool ?? '',
      ]);
      await made.query('SELECT pg_advisory_lock_shared($1, $2)', [workerLocks, rows[0]?.number]);
      return made;
    } catch (error) {
      void made.end().catch(() => undefined);
      throw error;
    }
  };
  const connected = (): Promise<pg.Client> => {
    if (client) return client;
    const opening = connect();
    client = opening;
    opening.catch((error: Error) => {
      if (client === opening) lose(error);
    });
    return opening;
  };
  function lose(error: Error): void {
    if (closed) return;
    onError(error);
    const lost = client;
    client = current = undefined;
    lost?.then((it) => it.end()).catch(() => undefined);
    again ??= setTimeout(() => {
      again = undefined;
      if (!closed) connected().catch(() => undefined);
    }, retryMs);
  }
  connected().catch(() => undefined);

  return {
    async renew(claims) {
      const ofKind = (kind: HeldClaim['kind']) => claims.filter((it) => it.kind === kind);
      const [builds, images] = [ofKind('build'), ofKind('image')];
      const connection = await connected();
      try {
        const { rows } = await connection.query<RenewalRow>(renewal, [
          worker.name,
          builds.map((it) => it.id),
          builds.map((it) => it.fence),
          builds.map((it) => (it.idleMs === undefined ? null : Math.round(it.idleMs))),
          draining,
          images.map((it) => it.id),
          images.map((it) => it.fence),
          JSON.stringify(worker.about?.() ?? {}),
        ]);
        // One row is about the worker itself.
        const own = rows.find((it) => it.id === null);
        if (own && own.cancelled !== cordoned) worker.onCordon?.((cordoned = own.cancelled));
        if (own?.forget?.length) worker.onForget?.(own.forget);
        return rows.flatMap(({ id, fence, cancelled, renewed }) =>
          id === null ? [] : [{ id, fence: Number(fence), cancelled, renewed }],
        );
      } catch (error) {
        lose(error as Error);
        throw error;
      }
    },
    async drain() {
      draining = true;
      await connected()
        .then((it) => it.query('UPDATE workers SET draining = true WHERE name = $1', [worker.name]))
        .catch(() => undefined);
    },
    async close() {
      closed = true;
      clearTimeout(again);
      await client?.then((it) => it.end()).catch(() => undefined);
    },
  };
}

/** SQL that gives the numbers of the workers that are alive. */
export const liveWorkerNumbers = sql.raw(`
  SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND classid = ${workerLocks} AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);

/**
 * SQL that gives the names of the workers that PostgreSQL no longer sees. Nothing is said in its own first seconds, in
 * which the living have yet to come back.
 */
export const deadWorkerNames = sql`
  SELECT name FROM workers WHERE number NOT IN (${liveWorkerNumbers})
    AND pg_postmaster_start_time() < now() - interval '5 seconds'`;

export interface Worker {
  name: string;
  app: string;
  slots: number;
  pool: string;
  draining: boolean;
  cordoned: boolean;
  about: WorkerAbout;
  alive: boolean;
  startedAt: string;
  seenAt: string;
  builds: number;
}

/** Every worker that was seen within a day, and whether it is there now. */
export async function listWorkers(db: Executor): Promise<Worker[]> {
  const { rows } = await db.execute<Worker & Record<string, unknown>>(sql`
    SELECT name, app, slots, pool, draining, cordoned, about, number IN (${liveWorkerNumbers}) AS alive,
      started_at AS "startedAt", seen_at AS "seenAt",
      (SELECT count(*)::int FROM builds b WHERE b.worker = w.name AND ${sql.raw(isLiveSql('b.'))}) AS builds
    FROM workers w ORDER BY started_at`);
  return rows;
}

/** Has a builder that is there take nothing new, or take work again; false when there is no such builder. */
export async function cordonWorker(db: Executor, name: string, cordoned: boolean): Promise<boolean> {
  const { rowCount } = await db.execute(
    sql`UPDATE workers SET cordoned = ${cordoned} WHERE name = ${name} AND app = 'builder'
      AND number IN (${liveWorkerNumbers})`,
  );
  return rowCount === 1;
}

/** Has a builder that is there remove the cache of an account; false when there is no such builder. */
export async function forgetCache(db: Executor, name: string, account: string): Promise<boolean> {
  const { rowCount } = await db.execute(
    sql`UPDATE workers SET forget = array_append(forget, ${account}) WHERE name = ${name} AND app = 'builder'
      AND number IN (${liveWorkerNumbers})`,
  );
  return rowCount === 1;
}

/** Forgets workers that have been gone for a day, and what was known of their caches. */
export async function forgetOldWorkers(db: Executor): Promise<Pick<Worker, 'name' | 'pool' | 'app'>[]> {
  const { rows } = await db.execute<Pick<Worker, 'name' | 'pool' | 'app'>>(sql`
    WITH gone AS (
      DELETE FROM workers WHERE seen_at < now() - interval '1 day' AND number NOT IN (${liveWorkerNumbers})
      RETURNING name, pool, app
    ), caches AS (DELETE FROM worker_caches WHERE worker IN (SELECT name FROM gone))
    SELECT name, pool, app FROM gone`);
  return rows;
}
