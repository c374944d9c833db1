import { z } from 'zod';
import { buildPhases } from './build-states.ts';
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
  hint: z.string().optional(),
});
export type BuildError = z.infer<typeof buildErrorSchema>;

/** The stored form of a Fault, with where it happened. */
export function describeFault(fault: Fault, phase: BuildError['phase'], attempt: number): BuildError {
  const { step, lines, exitCode, logTail, hint } = fault.details;
  const code: ErrorCode = fault.code;
  const facts = { phase, step, lines, exitCode, logTail, hint };
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
