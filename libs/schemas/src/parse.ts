import { type z } from 'zod';
import { Fault } from './fault.ts';

/**
 * Parses input from outside with a schema.
 * @param what what is being parsed, for an issue at its root, e.g. `body`
 * @throws Fault InvalidParameter naming the first offending field and what it should be
 */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue && issue.path.length > 0 ? issue.path.join('.') : what;
  const others = parsed.error.issues.length - 1;
  const more = others > 0 ? ` (and ${others} more ${others === 1 ? 'problem' : 'problems'})` : '';
  throw new Fault('InvalidParameter', `${field}: ${issue?.message ?? 'is invalid'}${more}`, { field });
}
