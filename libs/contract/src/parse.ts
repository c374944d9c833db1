import type { z } from 'zod';
import { Fault, fieldFault } from '@kiln/domain';

/** Most problems that a message names. */
const namedMax = 10;

/**
 * Parses input from outside with a schema.
 * @param what what is being parsed, for an issue at its root, e.g. `body`
 * @throws Fault InvalidParameter naming every offending field, up to ten, and what it should be
 */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const fieldOf = ({ path }: { path: PropertyKey[] }): string => (path.length > 0 ? path.join('.') : what);
  // Of a name that may not be one, what it should be says more than what the whole object should be.
  const messageOf = (it: z.core.$ZodIssue): string =>
    it.code === 'invalid_key' ? (it.issues[0]?.message ?? it.message) : it.message;
  const named = issues.slice(0, namedMax).map((it) => `${fieldOf(it)}: ${messageOf(it)}`);
  const more = issues.length > namedMax ? `; and ${issues.length - namedMax} more` : '';
  const [first] = issues;
  throw new Fault('InvalidParameter', named.join('; ') + more, { field: first ? fieldOf(first) : what });
}

// What lies deeper than this is left as it is: no field of any body does.
const nullsDeepest = 16;

/** A JSON value without the fields that are null: clients write so those that they have no value for. */
export function withoutNulls(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > nullsDeepest) return value;
  if (Array.isArray(value)) return value.map((it) => withoutNulls(it, depth + 1));
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, it]) => (it === null ? [] : [[name, withoutNulls(it, depth + 1)]])),
  );
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
      throw fieldFault('InvalidParameter', name, `is not a field; ${right} is`);
    refuseNearMisses(value, names, depth + 1);
  }
}
