import type { Build, BuildStep, listPhases } from '@kiln/persistence';
import { buildPhases } from '@kiln/domain';
import { renderBuildSummary } from './render-build.ts';

/** A build with what its last attempt did. */
export interface BuildCourse {
  build: Build;
  phases: Awaited<ReturnType<typeof listPhases>>;
  steps: BuildStep[];
}

const took = (it: { startedAt: Date | null; endedAt: Date | null } | undefined): number | undefined =>
  it?.startedAt && it.endedAt ? it.endedAt.getTime() - it.startedAt.getTime() : undefined;
const durationOf = ({ build }: BuildCourse) => took({ startedAt: build.startedAt, endedAt: build.finishedAt });

const durations = (now: number | undefined, before: number | undefined) => ({
  ...(now === undefined ? {} : { DurationMs: now }),
  ...(before === undefined ? {} : { PreviousMs: before }),
});

function lastAttempt<T extends { attempt: number }>(course: BuildCourse, rows: readonly T[]): T[] {
  return rows.filter((it) => it.attempt === course.build.attempt);
}

/** Says why a step was run again that the build before had done. */
function whyRun(step: BuildStep, same: BuildStep | undefined, before: readonly BuildStep[]): string {
  if (same) return 'the instruction is the same; what it starts from has changed, or its layer is kept no longer';
  const there = before.find((it) => it.number === step.number);
  return there ? `the instruction has changed; it was: ${there.instruction}` : 'the instruction is new';
}

/**
 * Puts a build beside the one before it. Steps belong together when their stage and instruction are the same; of
 * several alike, by their order.
 */
export function compareBuilds(now: BuildCourse, before: BuildCourse | undefined) {
  const left = before ? lastAttempt(before, before.steps) : [];
  const phasesBefore = before ? lastAttempt(before, before.phases) : [];
  const phasesNow = lastAttempt(now, now.phases);
  const earlier = [...left];
  const steps = lastAttempt(now, now.steps).map((step) => {
    const at = left.findIndex((it) => it.stage === step.stage && it.instruction === step.instruction);
    return { step, same: at < 0 ? undefined : left.splice(at, 1)[0] };
  });
  // What a stage starts from is never taken from the cache.
  // Of a build that only pushed what an earlier one had made, no steps are known.
  const changed =
    earlier.length > 0
      ? steps.find(({ step }) => step.result && step.result !== 'cached' && !/^FROM\b/i.test(step.instruction))
      : undefined;
  return {
    ...(before ? { Previous: renderBuildSummary(before.build) } : {}),
    ...durations(durationOf(now), before && durationOf(before)),
    Phases: buildPhases
      .filter((phase) => [...phasesNow, ...phasesBefore].some((it) => it.phase === phase))
      .map((phase) => {
        const of = (rows: BuildCourse['phases']) => took(rows.find((it) => it.phase === phase));
        return { Phase: phase, ...durations(of(phasesNow), of(phasesBefore)) };
      }),
    Steps: steps.map(({ step, same }) => ({
      Step: step.number,
      Instruction: step.instruction,
      ...(step.result ? { Result: step.result } : {}),
      ...(same?.result ? { PreviousResult: same.result } : {}),
      ...durations(took(step), took(same)),
    })),
    ...(changed
      ? {
          FirstChange: {
            Step: changed.step.number,
            Instruction: changed.step.instruction,
            Why: whyRun(changed.step, changed.same, earlier),
          },
        }
      : {}),
  };
}
