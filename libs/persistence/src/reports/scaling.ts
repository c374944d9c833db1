import { sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';

/** How many slots a pool of builders could use now, as the view `kiln_scaling` tells whatever scales builders. */
export interface PoolDemand {
  pool: string;
  /** Builds under way, and pending ones that their accounts may run now. */
  wantedSlots: number;
  oldestWaitingSeconds: number;
}

export async function readScaling(db: Executor): Promise<PoolDemand[]> {
  const { rows } = await db.execute<PoolDemand & Record<string, unknown>>(sql`
    SELECT pool, wanted_slots AS "wantedSlots", oldest_waiting_s AS "oldestWaitingSeconds" FROM kiln_scaling`);
  return rows;
}
