import { stepDetails } from '@kiln/domain';
import { type StepRun } from '@kiln/engine';
import { metrics, recordSpan } from '@kiln/kit';
import { type Database, recordSteps, type StepProgress } from '@kiln/persistence';
import { type Redaction } from '../log/redaction.ts';
import { retryWrite } from './retry-write.ts';

/**
 * An attempt's steps, written to PostgreSQL as they come: as many at once as came while the last ones were being
 * written.
 */
export interface StepRecord {
  /** @param logLine number that the next line of the log will have */
  take(run: StepRun, logLine: number): void;
  /** Whether a step has begun that does more than to fetch an image. */
  begun: () => boolean;
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

  const write = async (): Promise<void> => {
    while (waiting.size > 0) {
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
    written: async () => writing,
  };
}
