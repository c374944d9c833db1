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

// No field that protects somebody lies deeper.
const deepest = 8;

const plain = (name: string): string => name.toLowerCase().replace(/[_-]/g, '');

/**
 * Refuses fields that are almost spelt like one of `names`: in another case, or with other hyphens and underscores.
 * @throws Fault InvalidParameter with the right spelling
 */
export function refuseNearMisses(input: unknown, names: readonly string[], depth = 0): void {
  if (names.length === 0 || depth > deepest || typeof input !== 'object' || input === null || Array.isArray(input))
    return;
  const meant = new Map(names.map((it) => [plain(it), it]));
  for (const [name, value] of Object.entries(input)) {
    const right = meant.get(plain(name));
    if (right !== undefined && !names.includes(name))
      throw new Fault('InvalidParameter', `${name}: is not a field; ${right} is`, { field: name });
    refuseNearMisses(value, names, depth + 1);
  }
}
