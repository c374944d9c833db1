import { attemptStates, type BuildPhase, type BuildState, describeFault, type ErrorCode, Fault } from '@kiln/domain';
import { and, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { moveBuild } from '../builds/move-build.ts';
import { builds } from '../tables/builds.ts';

export interface Clocks {
  /** How long a build may wait before its first attempt starts. */
  queueSeconds: number;
  /** How long a build may take from the start of its first attempt. */
  totalSeconds: number;
  /** How long a running step may print nothing. */
  outputSeconds: number;
  /** How long each phase of an attempt may take. */
  phaseSeconds: Partial<Record<BuildPhase, number>>;
  /** How long a build may stay past its commit point, whose tag a registry does not take. */
  tagSeconds: number;
}

interface Clock {
  /** The state that it ends a build in. */
  to: BuildState;
  from: BuildState[];
  /** Which builds have overrun it. */
  over: SQL;
  /** Looks at those past their commit point, which all others leave alone. */
  pastCommit?: true;
  code: ErrorCode;
  message: string;
}

const running: BuildState[] = [...attemptStates, 'registering'];
const olderThan = (column: SQL, seconds: number): SQL => sql`${column} < now() - make_interval(secs => ${seconds})`;

const clocksOf = ({ queueSeconds, totalSeconds, outputSeconds, phaseSeconds, tagSeconds }: Clocks): Clock[] => [
  {
    to: 'expired',
    from: ['queued'],
    over: sql`${builds.attempt} = 0 AND ${olderThan(sql`${builds.createdAt}`, queueSeconds)}`,
    code: 'QueueTimeout',
    message: `waited longer than the queue clock allows, ${queueSeconds} s`,
  },
  {
    to: 'timed_out',
    from: running,
    over: olderThan(sql`${builds.startedAt}`, totalSeconds),
    code: 'RunTimeout',
    message: `ran longer than the total clock allows, ${totalSeconds} s`,
  },
  {
    to: 'timed_out',
    from: ['running'],
    over: olderThan(sql`${builds.outputAt}`, outputSeconds),
    code: 'OutputTimeout',
    message: `its step printed nothing for longer than the output clock allows, ${outputSeconds} s`,
  },
  {
    to: 'timed_out',
    from: ['registering'],
    over: olderThan(sql`${builds.phaseStartedAt}`, tagSeconds),
    pastCommit: true,
    code: 'PhaseTimeout',
    message: `phase tag took longer than its clock allows, ${tagSeconds} s; its tag may have been set`,
  },
  ...Object.entries(phaseSeconds).map(([phase, seconds]): Clock => ({
    to: 'timed_out',
    from: running,
    over: sql`${builds.phase} = ${phase} AND ${olderThan(sql`${builds.phaseStartedAt}`, seconds)}`,
    code: 'PhaseTimeout',
    message: `phase ${phase} took longer than its clock allows, ${seconds} s`,
  })),
];

/** The clocks of builds that wait and of those that run, with the builds that have overrun one. */
function overrunBy(clocks: Clocks) {
  const all = clocksOf(clocks).map((clock) => {
    const when = sql`(${builds.phase} = 'tag') = ${clock.pastCommit ?? false} AND ${clock.over}`;
    return { ...clock, when, isOver: sql`(${inArray(builds.state, clock.from)} AND ${when})` };
  });
  const waiting = all.filter(({ from }) => from.includes('queued'));
  // Many wait and few run: those that wait are found by an index of their own.
  return [waiting, all.filter((it) => !waiting.includes(it))].map((some) => {
    const states = [...new Set(some.flatMap(({ from }) => from))];
    return { clocks: some, isAnyOver: and(inArray(builds.state, states), or(...some.map((it) => it.isOver))) };
  });
}

/** Statements that find builds whose clock ran out. */
export const overrunBuilds = (clocks: Clocks): SQL[] =>
  overrunBy(clocks).map(({ isAnyOver }) => sql`SELECT 1 FROM ${builds} WHERE ${isAnyOver}`);

/**
 * Ends builds whose clock ran out; each error names the clock. Past its commit point a build has one last, long clock.
 * @returns ids of the builds that were ended
 */
export async function sweepClocks(db: Database, clocks: Clocks): Promise<string[]> {
  const ended: string[] = [];
  for (const { clocks: some, isAnyOver } of overrunBy(clocks)) {
    // The first that a build has overrun.
    const which = sql.join(
      [sql`CASE`, ...some.map((it, index) => sql`WHEN ${it.isOver} THEN ${index}::int`), sql`END`],
      sql` `,
    );
    const found = await db
      .select({ id: builds.id, phase: builds.phase, attempt: builds.attempt, which: sql<number>`${which}` })
      .from(builds)
      .where(isAnyOver)
      .limit(500)
      // Whoever is writing to it just now may hang; it must not hang the sweeper, too.
      .for('update', { skipLocked: true });
    for (const { id, phase, attempt, which: index } of found) {
      const clock = some[index];
      if (!clock) throw new Error(`there are ${some.length} clocks, and PostgreSQL named number ${index}`);
      const { to, from, when, code, message } = clock;
      const error = describeFault(new Fault(code, message), phase, attempt);
      if (await moveBuild(db, { id, from, to, when, message, set: { error } })) ended.push(id);
    }
  }
  return ended;
}
