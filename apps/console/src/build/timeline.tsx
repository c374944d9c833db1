import { isTerminal } from '@kiln/domain/build-states';
import { Group, SegmentedControl, Text, Title } from '@mantine/core';
import { useState } from 'react';
import type { Build, Step } from '../api/replies.ts';
import { bytes, duration } from '../components/format.ts';
import { useNow } from '../components/when.tsx';
import classes from './timeline.module.css';

/** A bar of the picture: from one moment to another, or to now. */
interface Bar {
  key: string;
  name: string;
  startMs: number;
  endMs: number | undefined;
  tone: 'ok' | 'cached' | 'failed' | 'stopped' | 'running';
  note: string;
  step?: Step;
}

const phaseNames: Record<string, string> = {
  wait: 'Wait',
  prepare: 'Prepare',
  build: 'Build',
  push: 'Push',
  verify: 'Verify',
  register: 'Register',
  tag: 'Set the tag',
};

function barsOf(build: Build, attempt: number): Bar[] {
  const isLast = attempt === build.Attempt;
  const phases = build.Phases.filter((it) => it.Attempt === attempt);
  const steps = build.Steps.filter((it) => it.Attempt === attempt).map((it) => stepBar(it, endOf(build, attempt)));
  const bars: Bar[] = [];
  for (const it of phases) {
    bars.push({
      key: it.Phase,
      name: phaseNames[it.Phase] ?? it.Phase,
      startMs: Date.parse(it.GmtStartTime),
      endMs: Date.parse(it.GmtFinishTime),
      tone: it.Result === 'cancelled' ? 'stopped' : it.Result,
      note: it.Bytes === undefined || it.Bytes === 0 ? '' : bytes(it.Bytes),
    });
    if (it.Phase === 'build') bars.push(...steps);
  }
  // The phase under way is written down when it ends.
  if (
    isLast &&
    !isTerminal(build.State) &&
    build.State !== 'queued' &&
    !phases.some((it) => it.Phase === build.Phase)
  ) {
    const startMs = Math.max(...phases.map((it) => Date.parse(it.GmtFinishTime)), startOf(build, attempt));
    bars.push({
      key: build.Phase,
      name: phaseNames[build.Phase] ?? build.Phase,
      startMs,
      endMs: undefined,
      tone: 'running',
      note: '',
    });
    if (build.Phase === 'build') bars.push(...steps);
  }
  // Nobody wrote down the phase of a worker that died.
  if (!bars.some((it) => it.step)) bars.push(...steps);
  return bars;
}

const startOf = (build: Build, attempt: number): number =>
  Date.parse(
    build.Attempts.find((it) => it.Attempt === attempt)?.GmtStartTime ?? build.GmtStartTime ?? build.GmtCreateTime,
  );

/** When an attempt was over, the registration of its image included. */
const endOf = (build: Build, attempt: number): string | undefined =>
  attempt === build.Attempt ? build.GmtFinishTime : build.Attempts.find((it) => it.Attempt === attempt)?.GmtFinishTime;

const timeOf = (iso: string | undefined): number | undefined => (iso === undefined ? undefined : Date.parse(iso));

const stepBar = (step: Step, over: string | undefined): Bar => ({
  key: `step ${step.Step}`,
  name: step.Instruction,
  startMs: Date.parse(step.GmtStartTime),
  endMs: timeOf(step.GmtFinishTime ?? over),
  tone: step.Result ?? (over === undefined ? 'running' : 'stopped'),
  note: step.Result === 'cached' ? 'cached' : step.ExitCode === undefined ? '' : `exit ${step.ExitCode}`,
  step,
});

/** An attempt's phases, and the steps of its build, as bars over time; the last one's, until another is chosen. */
export function Timeline({ build, onStep }: { build: Build; onStep: (step: Step) => void }) {
  const now = useNow(isTerminal(build.State) ? 3_600_000 : 1000);
  const [chosen, choose] = useState<number>();
  const attempt = chosen ?? build.Attempt;
  const bars = barsOf(build, attempt);
  const begin = startOf(build, attempt);
  const finish = timeOf(endOf(build, attempt)) ?? now;
  const whole = Math.max(1, finish - begin, ...bars.map((it) => (it.endMs ?? now) - begin));
  const title = (
    <Group justify="space-between" mb="xs">
      <Title order={2} size="h5">
        Timeline
      </Title>
      {build.Attempt > 1 && (
        <SegmentedControl
          size="xs"
          aria-label="Attempt"
          value={String(attempt)}
          onChange={(it) => choose(Number(it) === build.Attempt ? undefined : Number(it))}
          data={Array.from({ length: build.Attempt }, (_, n) => ({ value: String(n + 1), label: `Attempt ${n + 1}` }))}
        />
      )}
    </Group>
  );
  if (bars.length === 0)
    return (
      <>
        {title}
        <Text size="sm" c="dimmed">
          {build.State === 'queued' ? 'It has not started yet.' : 'Nothing was done.'}
        </Text>
      </>
    );
  return (
    <>
      {title}
      <ol
        className={classes['bars']}
        data-live={!isTerminal(build.State) || undefined}
        aria-label="Phases and steps"
        tabIndex={0}
      >
        {bars.map((it) => {
          const took = duration((it.endMs ?? now) - it.startMs);
          const left = (100 * (it.startMs - begin)) / whole;
          const width = (100 * ((it.endMs ?? now) - it.startMs)) / whole;
          return (
            <li key={it.key} className={it.step ? classes['step'] : classes['phase']}>
              {it.step ? (
                <button
                  type="button"
                  className={classes['name']}
                  title={it.name}
                  onClick={() => it.step && onStep(it.step)}
                >
                  {it.step.Step}. {it.name}
                </button>
              ) : (
                <span className={classes['name']}>{it.name}</span>
              )}
              <span className={classes['track']} aria-hidden>
                <span
                  className={classes['bar']}
                  data-tone={it.tone}
                  style={{ left: `${Math.max(0, Math.min(left, 99.5))}%`, width: `max(3px, ${Math.min(width, 100)}%)` }}
                />
              </span>
              <span className={classes['took']}>
                {it.tone === 'failed' && <b>failed </b>}
                {it.note !== '' && <span>{it.note} </span>}
                {took}
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
}
