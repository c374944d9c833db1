import { sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction } from './database.ts';

// The numbers of all advisory locks, so that no two mean the same; the audit log's trigger has one of its own, 7311905.
// They must never change: two versions take turns by them.
/** First key of the locks that workers hold while they live; the second is the worker's number. */
export const workerLocks = 7311;
const numbers = { migration: 7_311_865, sweep: 7_311_866, dispatch: 7_311_867 };

/** Waits until no other transaction holds this lock, and holds it until this one ends. */
export const lock = (tx: Executor, name: keyof typeof numbers) =>
  tx.execute(sql`SELECT pg_advisory_xact_lock(${numbers[name]})`);

/** The same for something that a text names, e.g. `tag host/repository:tag`. */
export const lockByName = (tx: Executor, name: string) =>
  tx.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${name}, 0))`);

/** Takes the lock until this transaction ends, unless another one holds it: false then. */
export async function tryLock(tx: Executor, name: keyof typeof numbers): Promise<boolean> {
  const { rows } = await tx.execute<{ got: boolean }>(sql`SELECT pg_try_advisory_xact_lock(${numbers[name]}) AS got`);
  return rows[0]?.got ?? false;
}

/**
 * Runs `work` as the only one that holds the lock of this name. The lock goes with its connection: at once when the holder
 * dies, and some seconds after it was last heard of when it is cut off.
 */
export const whileLocked = <T>(db: Database, name: string, work: () => Promise<T>): Promise<T> =>
  inTransaction(db, async (tx) => {
    await lockByName(tx, name);
    // Keeps the transaction from looking silent while the registry is slow.
    const beat = setInterval(() => void tx.execute(sql`SELECT 1`).catch(() => undefined), 4000);
    return work().finally(() => clearInterval(beat));
  });
