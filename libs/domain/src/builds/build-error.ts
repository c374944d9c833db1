import type { BuildPhase } from './build-states.ts';
import { diagnose } from '../errors/diagnosis/diagnose.ts';
import { type ErrorClass, type ErrorCode, errorClass } from '../errors/error-codes.ts';
import type { Fault, FaultDetails } from '../errors/fault.ts';

/**
 * Why a build or registration ended badly, as it is stored: what was known of the Fault, where it happened, and what the
 * table of diagnoses says of it.
 */
export interface BuildError extends Pick<FaultDetails, 'step' | 'lines' | 'exitCode' | 'logTail' | 'hint'> {
  code: ErrorCode;
  class: ErrorClass;
  phase?: BuildPhase;
  attempt: number;
  message: string;
  /** What kind of failure it is, by the table of diagnoses. */
  reason?: string;
  /** What happened, in a sentence. */
  cause?: string;
  /** The lines of the log that say so. */
  excerpt?: string[];
}

/** The stored form of a Fault, with where it happened and what the table of diagnoses says of it. */
export function describeFault(fault: Fault, phase: BuildPhase | undefined, attempt: number): BuildError {
  const { step, lines, exitCode, logTail, hint } = fault.details;
  const { code } = fault;
  const found = diagnose({ code, message: fault.message, step, exitCode, logTail });
  const facts = {
    phase,
    step,
    lines,
    exitCode,
    logTail,
    reason: found?.reason,
    cause: found?.cause,
    excerpt: found && found.excerpt.length > 0 ? found.excerpt : undefined,
    // What the code that failed knew goes before what a table can say.
    hint: hint ?? found?.suggestion,
  };
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
  // What others said may hold what PostgreSQL cannot.
  const storable = JSON.stringify({
    code,
    class: errorClass(code),
    attempt,
    message: fault.message,
    ...known,
  }).replaceAll('\\u0000', '');
  return JSON.parse(storable) as BuildError;
}
