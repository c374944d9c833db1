import { metrics } from '@kiln/kit';
import { isTerminal, type BuildState } from '@kiln/domain';
import { and, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import type { Database, Executor } from '../db/database.ts';
import { type Announcement, announceMoved } from '../outbox/outbox.ts';
import { type Build, builds } from '../tables/builds.ts';

export interface Move {
  id: string;
  from: readonly BuildState[];
  to: BuildState;
  /** What happened, for the event list. */
  message: string;
  /** The mover's fence; left out only by those that hold no attempt, such as the sweeper. */
  fence?: number;
  /** Refuse once somebody asked to cancel. */
  unlessCancelled?: boolean;
  /** Further conditions, e.g. that the lease has run out. */
  when?: SQL;
  set?: Partial<Pick<Build, 'error' | 'digest' | 'sizeBytes' | 'imageId' | 'phase' | 'failures' | 'quarantinedAt'>>;
  /** How the attempt ended, for the list of attempts; the state that follows when left out. */
  outcome?: string;
  /** When a build goes back to the queue: not before this many milliseconds from now. */
  delayMs?: number;
  announcement?: Announcement;
}

const outcomes: Partial<Record<BuildState, string>> = { registering: 'pushed' };

/** Writes the event of the build in `moved`, which another part of the same statement has changed. */
export const eventOfMoved = (db: Executor, message: string) =>
  db.$with('event', {}).as(sql`
    INSERT INTO build_events (build_id, state, attempt, message)
    SELECT id, state, attempt, ${message} FROM moved`);

/**
 * The only way in which a build changes state: one statement, whose guarded UPDATE brings its event, its attempt's end
 * and its announcement with it.
 * @returns the build as it is now, or undefined when the guard did not hold and nothing changed
 */
export async function moveBuildIn(db: Executor, move: Move): Promise<Build | undefined> {
  const endsLease = move.to === 'queued' || move.to === 'registering' || isTerminal(move.to);
  const moved = db.$with('moved').as(
    db
      .update(builds)
      .set({
        ...move.set,
        state: move.to,
        updatedAt: sql`now()`,
        ...(endsLease
          ? {
              leaseUntil: null,
              worker: null,
              phaseStartedAt: move.to === 'registering' ? sql`now()` : null,
              outputAt: null,
            }
          : {}),
        ...(isTerminal(move.to) ? { finishedAt: sql`now()` } : {}),
        ...(move.to === 'cancelling' ? { cancelRequestedAt: sql`coalesce(${builds.cancelRequestedAt}, now())` } : {}),
        // Back in the pending queue; the dispatcher lets it out again.
        ...(move.to === 'queued'
          ? { phase: 'wait' as const, admittedAt: null, heldAt: null, placement: null, missedBy: [] }
          : {}),
        ...(move.to === 'running' ? { outputAt: sql`now()` } : {}),
        ...(endsLease && !isTerminal(move.to)
          ? { notBefore: sql`now() + make_interval(secs => ${(move.delayMs ?? 0) / 1000})`, announcedAt: sql`now()` }
          : {}),
      })
      .where(
        and(
          eq(builds.id, move.id),
          inArray(builds.state, [...move.from]),
          move.fence === undefined ? undefined : eq(builds.fence, move.fence),
          move.unlessCancelled ? isNull(builds.cancelRequestedAt) : undefined,
          move.when,
        ),
      )
      .returning(),
  );
  const outcome = move.outcome ?? outcomes[move.to] ?? move.to;
  const ended = db.$with('ended', {}).as(sql`
    UPDATE build_attempts a SET ended_at = now(), outcome = ${outcome} FROM moved
    WHERE a.build_id = moved.id AND a.attempt = moved.attempt AND a.ended_at IS NULL`);
  const [build] = await db
    .with(
      moved,
      eventOfMoved(db, move.message),
      ...(endsLease ? [ended] : []),
      ...(move.announcement ? [announceMoved(db, move.announcement)] : []),
    )
    .select()
    .from(moved);
  return build;
}
export async function moveBuild(db: Database, move: Move): Promise<Build | undefined> {
  const build = await moveBuildIn(db, move);
  if (build && isTerminal(build.state)) countEnd(build);
  return build;
}

/** Counts a build that has ended; after its transaction, which may come to nothing. */
export const countEnd = ({ state, error }: Pick<Build, 'state' | 'error'>): void =>
  metrics.buildsEnded.inc({ state, class: error?.class ?? 'none' });
