import { aimSeconds, type Scenario } from './scenario.ts';
import type { Trial } from './trial.ts';

const percentile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export interface Line {
  name: string;
  runs: number;
  builds: number;
  lost: number;
  doubled: number;
  leftovers: number;
  /** Trials in which a scenario's own check failed. */
  wrong: number;
  times: number[];
  aim: number | undefined;
}

export function summarise(scenarios: Scenario[], trials: Trial[]): Line[] {
  return scenarios.flatMap(({ name, aim }) => {
    const mine = trials.filter((it) => it.scenario === name);
    if (mine.length === 0) return [];
    const count = (of: (it: Trial) => number): number => mine.reduce((sum, it) => sum + of(it), 0);
    return {
      name,
      runs: mine.length,
      builds: count((it) => it.builds),
      lost: count((it) => it.lost.length),
      doubled: count((it) => it.doubled.length),
      leftovers: count((it) => it.leftovers.length),
      wrong: count((it) => (it.wrong.length === 0 ? 0 : 1)),
      times: mine.flatMap((it) => it.recoveryMs ?? []).sort((a, b) => a - b),
      aim: aimSeconds(aim, 1),
    };
  });
}

const timeCells = ({ times, aim }: Line): string[] => [
  times.length === 0 ? '' : seconds(percentile(times, 0.5)),
  times.length === 0 ? '' : seconds(percentile(times, 0.99)),
  times.length === 0 || aim === undefined ? '' : `${aim} s`,
];

/** The table of docs/reliability.md. */
export function renderTable(lines: Line[]): string {
  const head = ['fault', 'runs', 'builds', 'lost', 'doubled', 'leftovers', 'failed checks', 'p50', 'p99', 'aim'];
  const rows = lines.map((it) => [
    it.name,
    ...[it.runs, it.builds, it.lost, it.doubled, it.leftovers, it.wrong].map(String),
    ...timeCells(it),
  ]);
  const sum = (of: (it: Line) => number): string => String(lines.reduce((total, it) => total + of(it), 0));
  rows.push(['**all**', ...[(it: Line) => it.runs, (it: Line) => it.builds, (it: Line) => it.lost, (it: Line) => it.doubled, (it: Line) => it.leftovers, (it: Line) => it.wrong].map(sum), '', '', '']); // prettier-ignore
  return [head, head.map((_, n) => (n === 0 ? '---' : '--:')), ...rows].map((it) => `| ${it.join(' | ')} |`).join('\n');
}
