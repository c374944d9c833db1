import { openRandom } from '@kiln/kit/testing';
import type { FaultKiln } from './fault-kiln.ts';
import { judge, type Verdict } from './oracle.ts';
import { aimSeconds, type Scenario } from './scenario.ts';
import { clients } from './scenarios/clients.ts';
import { killed } from './scenarios/killed.ts';
import { registries } from './scenarios/registries.ts';
import { servers } from './scenarios/servers.ts';
import { silenced } from './scenarios/silenced.ts';
import { storm } from './scenarios/storm.ts';

export const scenarios: Scenario[] = [
  ...killed,
  ...silenced,
  ...servers,
  ...registries,
  ...clients,
  storm(20),
  storm(180),
];

export interface Trial extends Verdict {
  scenario: string;
  seed: number;
  builds: number;
  recoveryMs?: number;
  /** What the scenario itself found wrong, and ends that its builds should not have come to. */
  wrong: string[];
  /** It took longer than it may. */
  late: boolean;
}

/** Runs a scenario once, waits until everything has settled, and judges. */
export async function runTrial(kiln: FaultKiln, scenario: Scenario, seed: number): Promise<Trial> {
  await kiln.fleet.whole();
  const before = new Set(kiln.accepted);
  const wrong: string[] = [];
  let recoveryMs: number | undefined;
  try {
    recoveryMs = await scenario.run(kiln, openRandom(seed));
    if (recoveryMs === undefined && scenario.aim !== 'none') wrong.push('nothing was hit, so nothing was measured');
  } catch (failure) {
    wrong.push(failure instanceof Error ? failure.message : String(failure));
  }
  await mend(kiln);
  const ids = [...kiln.accepted].filter((it) => !before.has(it));
  await kiln.ended(ids, 180_000).catch(() => undefined);
  wrong.push(...kiln.fleet.surprises(), ...(await unwantedEnds(kiln, ids, scenario.ends ?? ['succeeded'])));
  const aim = aimSeconds(scenario.aim, kiln.timeScale);
  return {
    scenario: scenario.name,
    seed,
    builds: ids.length,
    ...(await judge(kiln, ids)),
    ...(recoveryMs === undefined ? {} : { recoveryMs }),
    wrong,
    late: aim !== undefined && (recoveryMs ?? 0) > aim * 1000,
  };
}

/** Takes back whatever a scenario that failed half-way has left broken. */
async function mend(kiln: FaultKiln): Promise<void> {
  kiln.fleet.disarm();
  kiln.front.set({ kind: 'well' });
  for (const { links } of kiln.fleet.members) for (const it of Object.values(links)) it.set('pass');
  await kiln.fleet.whole();
}

async function unwantedEnds(kiln: FaultKiln, ids: string[], wanted: readonly string[]): Promise<string[]> {
  const rows = await kiln.sql<{ id: string; state: string; message: string | null }>(
    `SELECT id, state, error->>'message' AS message FROM builds WHERE id = ANY($1) AND finished_at IS NOT NULL AND state <> ALL($2)`,
    [ids, wanted],
  );
  return rows.map((it) => `${it.id} is ${it.state}: ${it.message ?? ''}`);
}

/** What is wrong with a trial, in lines; that it took long is not among it. */
export const complaints = (it: Trial): string[] => [
  ...it.wrong,
  ...it.lost.map((what) => `lost: ${what}`),
  ...it.doubled.map((what) => `doubled: ${what}`),
  ...it.leftovers.map((what) => `left over: ${what}`),
];

export const isGood = (it: Trial): boolean => complaints(it).length === 0 && !it.late;
