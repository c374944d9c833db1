import type pg from 'pg';
import { isStalePlan } from './statement-plans.ts';

/**
 * Runs `work` between `begin` and COMMIT on a connection of its own, and gives the connection back whatever happens: one
 * that fails even to roll back, or whose plans are of another schema, is thrown away.
 */
export async function runTransaction<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | boolean = false;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    broken = isStalePlan(error);
    await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    client.release(broken);
  }
}
