import { type BuildState, liveStates, occupyingStates, workerStates } from '@kiln/domain';
import { type SQL, sql } from 'drizzle-orm';

// Conditions on the rows of `builds`, as text for statements that are written out. `of` is the table's alias with its
// dot, if any.

const among =
  (states: readonly BuildState[]) =>
  (of = '') =>
    `${of}state IN (${states.map((it) => `'${it}'`).join(', ')})`;

/** It can still change. */
export const isLiveSql = among(liveStates);
/** A worker holds it under a lease. */
export const isHeldSql = among(workerStates);
/** It takes a slot of its builder. */
export const isOccupyingSql = among(occupyingStates);
/** It is in the pending queue. */
export const isPendingSql = (of = ''): string => `${of}state = 'queued' AND ${of}admitted_at IS NULL`;
/** It was given to the builders, and none has claimed it yet. */
export const isAdmittedSql = (of = ''): string => `${of}state = 'queued' AND ${of}admitted_at IS NOT NULL`;

/** The same for Drizzle's statements. */
export const isPending = (of = ''): SQL => sql.raw(isPendingSql(of));
