/** Runs something and gives its wall time in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const sorted = (values: number[]): number[] => [...values].sort((a, b) => a - b);

export const quantile = (values: number[], q: number): number =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? NaN;

export const median = (values: number[]): number => quantile(values, 0.5);

export const ms = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0)) + ' ms';

/** Ways of doing the same, in turn, so that all meet the same noise; each tells how many milliseconds it took. */
export async function inTurn(rounds: number, ways: readonly (() => Promise<number>)[]): Promise<number[][]> {
  const taken = ways.map((): number[] => []);
  for (const way of ways) await way();
  for (let round = 0; round < rounds; round += 1) for (const [at, way] of ways.entries()) taken[at]?.push(await way());
  return taken;
}

/** Keeps `width` calls under way for a time. */
export async function load(
  width: number,
  durationMs: number,
  call: () => Promise<void>,
): Promise<{ perSecond: number; latencies: number[] }> {
  const latencies: number[] = [];
  const started = performance.now();
  const lane = async () => {
    while (performance.now() - started < durationMs) latencies.push(await timed(call));
  };
  await Promise.all(Array.from({ length: width }, lane));
  return { perSecond: (latencies.length / (performance.now() - started)) * 1000, latencies };
}

export interface Row {
  what: string;
  ours: string;
  other: string;
  ratio: number;
  aim: string;
}

const pad = (text: string, width: number): string => text.padEnd(width);

export function printRows(rows: Row[]): void {
  const head: Row = { what: 'measured', ours: 'Kiln', other: 'compared with', ratio: NaN, aim: 'aim' };
  const widths = (['what', 'ours', 'other'] as const).map((key) =>
    Math.max(...[head, ...rows].map((it) => it[key].length)),
  );
  for (const it of [head, ...rows]) {
    const ratio = Number.isNaN(it.ratio) ? 'ratio' : it.ratio.toFixed(2);
    console.log(
      [
        pad(it.what, widths[0] ?? 0),
        pad(it.ours, widths[1] ?? 0),
        pad(it.other, widths[2] ?? 0),
        ratio.padStart(6),
        it.aim,
      ].join('  '),
    );
  }
}
