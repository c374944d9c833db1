import type { TerminalState } from '@kiln/domain';
import type { Random } from '@kiln/kit/testing';
import type { FaultKiln } from './fault-kiln.ts';

/** What is expected of the time that it takes until work goes on. */
export type Aim =
  /** 3 s: PostgreSQL sees at once that a process has died. */
  | 'process'
  /** 20 s: a lease has to run out, or a connection that swallows everything be given up. */
  | 'silence'
  /** 5 s from the server's return. */
  | 'server'
  /** Nothing has to be taken up again. */
  | 'none';

const aims: Record<Aim, number | undefined> = { process: 3, silence: 20, server: 5, none: undefined };

/** How soon work has to go on, in seconds; only silence is noticed by Kiln's own durations. */
export function aimSeconds(aim: Aim, timeScale: number): number | undefined {
  const seconds = aims[aim];
  return aim === 'silence' && seconds !== undefined ? seconds * timeScale : seconds;
}

export interface Scenario {
  name: string;
  aim: Aim;
  /** Part of `npm test`. */
  short: boolean;
  /** Ends that its builds may come to; success alone when left out. */
  ends?: readonly TerminalState[];
  /**
   * Breaks something while builds are under way, and mends it.
   * @returns how many milliseconds it took until the work that was hit went on; undefined when none was
   */
  run(kiln: FaultKiln, random: Random): Promise<number | undefined>;
}

/** By what a build is seen to go on. */
export type Sign = 'first attempt' | 'next attempt' | 'success';

const recoveries: Record<Sign, string> = {
  // Builds that nobody had begun.
  'first attempt': `SELECT max(extract(epoch FROM started_at)) AS at FROM build_attempts WHERE build_id = ANY($1) AND attempt = 1`,
  // Builds whose attempt was under way.
  'next attempt': `
    SELECT max(extract(epoch FROM again.started_at)) AS at FROM build_attempts hit
    JOIN build_attempts again ON again.build_id = hit.build_id AND again.attempt = hit.attempt + 1
    WHERE hit.build_id = ANY($1) AND hit.started_at <= to_timestamp($2::float8 / 1000) AND again.started_at > to_timestamp($2::float8 / 1000)`,
  // Builds that had been pushed.
  success: `
    SELECT max(extract(epoch FROM b.finished_at)) AS at FROM builds b
    JOIN build_events e ON e.build_id = b.id AND e.state = 'registering'
    WHERE b.id = ANY($1) AND b.state = 'succeeded' AND e.at <= to_timestamp($2::float8 / 1000)`,
};

/**
 * How long it took until the builds that were hit went on, read from what is written of them after they have ended.
 * @param sinceMs when they were hit, or when what had failed was back; milliseconds since 1970
 * @returns milliseconds, 0 when the sign was there before; undefined when it never came, as nothing had been hit
 */
export async function recovery(
  kiln: FaultKiln,
  ids: string[],
  sinceMs: number,
  sign: Sign,
): Promise<number | undefined> {
  await kiln.ended(ids);
  const values = sign === 'first attempt' ? [ids] : [ids, sinceMs];
  const [row] = await kiln.sql<{ at: string | null }>(recoveries[sign], values);
  return row?.at == null ? undefined : Math.max(0, Math.round(Number(row.at) * 1000 - sinceMs));
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Submits a build whose step runs for so many seconds, and waits until it does; `holder` is the member that runs it.
 */
export async function running(kiln: FaultKiln, seconds: number): Promise<{ id: string; holder: string }> {
  const id = await kiln.submit(kiln.request({ seconds }));
  await kiln.stepRuns(id);
  return { id, holder: await holderOf(kiln, id) };
}

/** Name of the member whose process runs a build. */
export async function holderOf(kiln: FaultKiln, id: string): Promise<string> {
  const [row] = await kiln.sql<{ worker: string }>('SELECT worker FROM builds WHERE id = $1', [id]);
  const name = kiln.fleet.nameOf(Number(row?.worker.split('-').at(-2)));
  if (name === undefined) throw new Error(`no process of the fleet holds ${id}`);
  return name;
}

/** How an attempt of a build ended. */
export async function outcomeOf(kiln: FaultKiln, id: string, attempt: number): Promise<string | undefined> {
  const [row] = await kiln.sql<{ outcome: string }>(
    'SELECT outcome FROM build_attempts WHERE build_id = $1 AND attempt = $2',
    [id, attempt],
  );
  return row?.outcome;
}
