import { stepDetails } from '@kiln/domain';
import type { StepRun } from '@kiln/engine';
import { metrics, recordSpan } from '@kiln/kit';
import { type Database, recordSteps, type StepProgress } from '@kiln/persistence';
import type { Redaction } from '../log/redaction.ts';
import { retryWrite } from './retry-write.ts';

/** What comes within this time is written at once. */
const gatherMs = 100;

/** An attempt's steps, written to PostgreSQL soon after they come, several at once. */
export interface StepRecord {
  /** @param logLine number that the next line of the log will have */
  take(run: StepRun, logLine: number): void;
  /** Whether a step has begun that does more than to fetch an image. */
  begun: () => boolean;
  /** Whether one of those has run, and was not found in a cache. */
  ranAny: () => boolean;
  /** Resolves when all that came so far is written, or the attempt may not go on. */
  written: () => Promise<void>;
}

export function openStepRecord(
  db: Database,
  attempt: { id: string; attempt: number; fence: number },
  redaction: Redaction,
  written: () => void,
  stopped: () => boolean,
): StepRecord {
  const logLines = new Map<number, number>();
  const waiting = new Map<number, StepProgress>();
  let writing: Promise<void> | undefined;
  let hasBegun = false;
  let hasRun = false;

  let hurried = false;
  let endGathering = (): void => undefined;
  const gather = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, gatherMs);
      endGathering = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const write = async (): Promise<void> => {
    while (waiting.size > 0) {
      if (!hurried) await gather();
      const steps = [...waiting.values()];
      waiting.clear();
      await retryWrite(() => recordSteps(db, attempt, steps), stopped);
      written();
    }
    writing = undefined;
  };

  return {
    take({ number, step, startedAt, ended }, logLine) {
      hasBegun ||= step.keyword !== 'FROM';
      hasRun ||= step.keyword !== 'FROM' && ended?.result === 'ok';
      const first = logLines.get(number) ?? logLine;
      logLines.set(number, first);
      const { step: instruction, lines } = stepDetails(step);
      waiting.set(number, {
        number,
        stage: step.stage,
        instruction: redaction.text(instruction),
        lines,
        logLine: first,
        startedAt,
        ...(ended ? { ended, logEnd: logLine } : {}),
      });
      if (ended) {
        metrics.steps.inc({ result: ended.result });
        const facts = { 'kiln.step': number, 'kiln.result': ended.result };
        recordSpan('step', facts, startedAt, ended.at, ended.result === 'failed');
      }
      writing ??= write();
    },
    begun: () => hasBegun,
    ranAny: () => hasRun,
    async written() {
      hurried = true;
      endGathering();
      await writing;
      hurried = false;
    },
  };
}
