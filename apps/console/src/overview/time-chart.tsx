import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme, VisuallyHidden } from '@mantine/core';
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';

const height = 190;

const looks = {
  light: {
    axis: '#5b6470',
    grid: '#e5e7eb',
    good: '#15803d',
    bad: '#dc2626',
    quiet: '#9ca3af',
    busy: '#1d4ed8',
    warm: '#b9400f',
  },
  dark: {
    axis: '#a6adb7',
    grid: '#373a40',
    good: '#4ade80',
    bad: '#f87171',
    quiet: '#6b7280',
    busy: '#60a5fa',
    warm: '#fb8a3c',
  },
};

const hours = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
/** The time of day, or the day at its beginning. */
const timeLabel = (seconds: number): string => {
  const at = new Date(seconds * 1000);
  return at.getHours() === 0 && at.getMinutes() === 0 ? days.format(at) : hours.format(at);
};

/** One line, or one kind of bars. */
export interface Series {
  label: string;
  tone: keyof (typeof looks)['light'];
  values: number[];
}

/** Bars one upon the other: the highest is drawn first, so that the lower ones lie in front. */
const onTop = (series: readonly Series[]): number[][] =>
  series.map((_, n) => series.slice(n).reduce<number[]>((sums, it) => it.values.map((v, k) => v + (sums[k] ?? 0)), []));

const dataOf = (at: number[], series: readonly Series[], bars: boolean): UPlot.AlignedData => [
  at,
  ...(bars ? onTop(series) : series.map((it) => it.values)),
];

/**
 * Counts over time.
 * @param at when each piece begins, in seconds since 1970
 * @param bars one upon the other; lines otherwise
 * @param summary the same in words, for those who do not see it
 */
export function TimeChart({
  at,
  series,
  bars,
  summary,
}: {
  at: number[];
  series: Series[];
  bars: boolean;
  summary: string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot>(null);
  const shown = useRef({ at, series });
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    const parent = place.current;
    if (!parent) return undefined;
    const made = new UPlot(
      optionsOf(
        shown.current.series,
        parent.clientWidth,
        scheme,
        bars,
        (n, index) => shown.current.series[n]?.values[index],
      ),
      dataOf(shown.current.at, shown.current.series, bars),
      parent,
    );
    chart.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: parent.clientWidth, height }));
    watch.observe(parent);
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [scheme, bars]);
  useEffect(() => {
    shown.current = { at, series };
    chart.current?.setData(dataOf(at, series, bars));
  }, [at, series, bars]);
  return (
    <figure style={{ margin: 0 }}>
      <div ref={place} style={{ minHeight: height + 32 }} aria-hidden />
      <VisuallyHidden component="figcaption">{summary}</VisuallyHidden>
    </figure>
  );
}

const showLast = (it: UPlot): void => {
  if (it.data[0].length > 0) it.setLegend({ idx: it.data[0].length - 1 });
};

function optionsOf(
  series: readonly Series[],
  width: number,
  scheme: 'light' | 'dark',
  bars: boolean,
  valueAt: (series: number, index: number) => number | undefined,
): UPlot.Options {
  const look = looks[scheme];
  const axis = { stroke: look.axis, grid: { stroke: look.grid, width: 1 }, ticks: { stroke: look.grid, width: 1 } };
  const paths = bars ? UPlot.paths.bars?.({ size: [0.8, 40] }) : UPlot.paths.stepped?.({ align: 1 });
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    // The legend tells of the present while nothing is pointed at.
    hooks: { setData: [showLast], setCursor: [(it) => it.cursor.idx == null && showLast(it)] },
    scales: { y: { range: (_, __, max) => [0, Math.max(4, Math.ceil(max * 1.1))] } },
    axes: [
      { ...axis, space: 70, values: (_, splits) => splits.map(timeLabel) },
      { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] },
    ],
    series: [
      { label: 'From', value: (_, seconds: number | null) => (seconds === null ? '—' : timeLabel(seconds)) },
      ...series.map(({ label, tone }, n) => ({
        label,
        stroke: look[tone],
        width: bars ? 0 : 2,
        points: { show: false },
        ...(bars ? { fill: look[tone] } : {}),
        ...(paths ? { paths } : {}),
        // What was drawn is the sum of what lies below.
        value: (_: UPlot, __: number, ___: number, index: number | null) =>
          index === null ? '—' : String(valueAt(n, index) ?? '—'),
      })),
    ],
  };
}
