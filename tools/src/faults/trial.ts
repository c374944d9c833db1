import { type FaultKiln } from './fault-kiln.ts';
import { judge, type Verdict } from './oracle.ts';
import { openRandom } from './random.ts';
import { type Scenario } from './scenario.ts';
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
  storm(20, true),
  storm(180, false),
];

export interface Trial extends Verdict {
  scenario: string;
  seed: number;
  builds: number;
  recoveryMs?: number;
  /** What the scenario itself found wrong. */
  error?: string;
}

/** Runs a scenario once, waits until everything has settled, and judges. */
export async function runTrial(kiln: FaultKiln, scenario: Scenario, seed: number): Promise<Trial> {
  await kiln.fleet.whole();
  const before = new Set(kiln.accepted);
  let recoveryMs: number | undefined;
  let error: string | undefined;
  try {
    recoveryMs = await scenario.run(kiln, openRandom(seed));
  } catch (failure) {
    error = failure instanceof Error ? failure.message : String(failure);
  }
  kiln.fleet.disarm();
  kiln.front.set({ kind: 'well' });
  for (const { links } of kiln.fleet.members) for (const it of Object.values(links)) it.set('pass');
  await kiln.fleet.whole();
  const ids = [...kiln.accepted].filter((it) => !before.has(it));
  await kiln.ended(ids, 180_000).catch(() => undefined);
  const verdict = await judge(kiln, ids);
  return {
    scenario: scenario.name,
    seed,
    builds: ids.length,
    ...verdict,
    ...(recoveryMs === undefined ? {} : { recoveryMs }),
    ...(error === undefined ? {} : { error }),
  };
}

export const isGood = (it: Trial): boolean =>
  it.error === undefined && it.lost.length + it.doubled.length + it.leftovers.length === 0;

/** What is wrong with a trial, in lines. */
export const complaints = (it: Trial): string[] => [
  ...(it.error === undefined ? [] : [it.error]),
  ...it.lost.map((what) => `lost: ${what}`),
  ...it.doubled.map((what) => `doubled: ${what}`),
  ...it.leftovers.map((what) => `left over: ${what}`),
];
