import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme, VisuallyHidden } from '@mantine/core';
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import type { Overview } from '../api/replies.ts';

const height = 190;

const looks = {
  light: { axis: '#5b6470', grid: '#e5e7eb', good: '#15803d', bad: '#dc2626', quiet: '#9ca3af' },
  dark: { axis: '#a6adb7', grid: '#373a40', good: '#4ade80', bad: '#f87171', quiet: '#6b7280' },
};

const hours = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
/** The time of day, or the day at its beginning. */
const timeLabel = (seconds: number): string => {
  const at = new Date(seconds * 1000);
  return at.getHours() === 0 && at.getMinutes() === 0 ? days.format(at) : hours.format(at);
};

/** Ends one upon the other: the highest bar first, so that the lower ones lie in front. */
function stacked(ends: Overview['Ends']): UPlot.AlignedData {
  return [
    ends.map((it) => Date.parse(it.Time) / 1000),
    ends.map((it) => it.Succeeded + it.Failed + it.Cancelled),
    ends.map((it) => it.Succeeded + it.Failed),
    ends.map((it) => it.Succeeded),
  ];
}

export function ThroughputChart({ ends }: { ends: Overview['Ends'] }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot>(null);
  const shown = useRef(ends);
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    const at = place.current;
    if (!at) return undefined;
    const look = looks[scheme];
    const bars = UPlot.paths.bars?.({ size: [0.8, 40] });
    const axis = { stroke: look.axis, grid: { stroke: look.grid, width: 1 }, ticks: { stroke: look.grid, width: 1 } };
    const own =
      (pick: (it: Overview['Ends'][number]) => number) => (_: UPlot, __: unknown, ___: number, index: number | null) =>
        index === null
          ? '—'
          : String(pick(shown.current[index] ?? { Time: '', Succeeded: 0, Failed: 0, Cancelled: 0 }));
    const series = (label: string, colour: string, pick: (it: Overview['Ends'][number]) => number): UPlot.Series => ({
      label,
      fill: colour,
      stroke: colour,
      width: 0,
      points: { show: false },
      value: own(pick),
      ...(bars ? { paths: bars } : {}),
    });
    const made = new UPlot(
      {
        width: at.clientWidth,
        height,
        padding: [8, 8, 0, 0],
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, max) => [0, Math.max(4, Math.ceil(max * 1.1))] } },
        axes: [
          { ...axis, space: 70, values: (_, splits) => splits.map(timeLabel) },
          { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] },
        ],
        series: [
          { label: 'From', value: (_, at: number | null) => (at === null ? '—' : timeLabel(at)) },
          series('Cancelled', look.quiet, (it) => it.Cancelled),
          series('Failed', look.bad, (it) => it.Failed),
          series('Succeeded', look.good, (it) => it.Succeeded),
        ],
      },
      stacked(shown.current),
      at,
    );
    chart.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: at.clientWidth, height }));
    watch.observe(at);
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [scheme]);
  useEffect(() => {
    shown.current = ends;
    chart.current?.setData(stacked(ends));
  }, [ends]);
  const total = (pick: (it: Overview['Ends'][number]) => number) => ends.reduce((sum, it) => sum + pick(it), 0);
  return (
    <figure style={{ margin: 0 }}>
      <div ref={place} style={{ minHeight: height + 32 }} aria-hidden />
      <VisuallyHidden component="figcaption">
        {total((it) => it.Succeeded)} builds succeeded, {total((it) => it.Failed)} failed and{' '}
        {total((it) => it.Cancelled)} were cancelled in this period.
      </VisuallyHidden>
    </figure>
  );
}
