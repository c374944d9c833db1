import { globOf } from '@kiln/domain';
import { z } from 'zod';

// PostgreSQL's text cannot hold NUL, and a lone surrogate cannot be written as UTF-8: both are refused where text comes
// in.
const storable = (text: string) => !text.includes('\0') && text.isWellFormed();

/** Bounded text that PostgreSQL can store. `max` counts UTF-16 units, as JavaScript's length does. */
export const text = (max: number, min = 0) =>
  z
    .string({ error: (issue) => (issue.input === undefined ? 'is required' : 'must be a string') })
    .min(min, min === 1 ? 'must not be empty' : `must have at least ${min} characters`)
    .max(max, `must have at most ${max} characters`)
    .refine(storable, 'must not contain NUL or unpaired surrogates');

/** The id of something, as text; clients also write figures as figures. */
export const idText = (max: number) =>
  z.union([text(max, 1), z.int().min(0).transform(String)], {
    error: (issue) =>
      issue.input === undefined ? 'is required' : `must be a text of 1 to ${max} characters, or a whole number`,
  });

/** One of a closed list, whose error names the list. */
export const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values as unknown as [T[number], ...T[number][]], {
    error: (issue) => (issue.input === undefined ? 'is required' : `must be one of ${values.join(', ')}`),
  });

/** Tells a field that is missing from one that is wrong. */
export const required = (what: string) => ({
  error: (issue: { input: unknown }) => (issue.input === undefined ? 'is required' : what),
});

/** Booleans in a query string are the words true and false. */
export const queryBoolean = z.union(
  [z.boolean(), oneOf(['true', 'false', 'True', 'False']).transform((it) => it.toLowerCase() === 'true')],
  {
    error: 'must be true or false',
  },
);

/** A decimal integer in a query string. */
export const queryInt = (min: number, max: number) =>
  z
    .string()
    .regex(/^[+-]?\d{1,10}$/, 'must be a decimal integer')
    .transform(Number)
    .pipe(z.int().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

/** Patterns of names: `*` stands for a part of one, `**` for any. */
export const patterns = z.array(
  text(255, 1).refine((it) => globOf(it) !== undefined, 'is no pattern: `*` stands for a part of a name, `**` for any'),
  'must be a list of patterns',
);

/** Patterns of repositories without their host, such as `ml/**`. */
export const repositoryPatterns = patterns.min(1, 'must name a repository').max(50, 'has more than 50 entries');

/** A point in time, as ISO 8601 in UTC, e.g. 2021-01-12T14:36:01Z. */
export const queryTime = z.iso
  .datetime({ error: 'must be a UTC time such as 2021-01-12T14:36:01Z' })
  .transform((it) => new Date(it))
  .refine((it) => it.getUTCFullYear() > 1 && it.getUTCFullYear() < 9000, 'must be of a year between 1 and 9000');
