import { z } from 'zod';
import { buildPhases } from './build-states.ts';
import { diagnose } from './diagnosis/diagnose.ts';
import { type ErrorCode, errorClass } from './error-codes.ts';
import { type Fault } from './fault.ts';

/** Why a build or registration ended badly, as it is stored and shown. */
export const buildErrorSchema = z.object({
  code: z.string(),
  class: z.string(),
  phase: z.enum(buildPhases).optional(),
  attempt: z.int(),
  message: z.string(),
  step: z.string().optional(),
  lines: z.tuple([z.int(), z.int()]).optional(),
  exitCode: z.int().optional(),
  logTail: z.array(z.string()).optional(),
  /** What kind of failure it is, by the table of diagnoses. */
  reason: z.string().optional(),
  /** What happened, in a sentence. */
  cause: z.string().optional(),
  /** The lines of the log that say so. */
  excerpt: z.array(z.string()).optional(),
  /** What to do about it. */
  hint: z.string().optional(),
});
export type BuildError = z.infer<typeof buildErrorSchema>;

/** The stored form of a Fault, with where it happened and what the table of diagnoses says of it. */
export function describeFault(fault: Fault, phase: BuildError['phase'], attempt: number): BuildError {
  const { step, lines, exitCode, logTail, hint } = fault.details;
  const code: ErrorCode = fault.code;
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
