import { expandVariables } from './expand-variables.ts';

const variables = new Map([['V', 'python:3.12-slim'], ['EMPTY', ''], ['N', '3']]); // prettier-ignore

// As BuildKit's own shell words have it (frontend/dockerfile/shell).
it.each([
  ['plain', 'plain'],
  ['$V', 'python:3.12-slim'],
  ['${V}x', 'python:3.12-slimx'],
  ['$N.$M', '3.'],
  ['${M:-${N}4}', '34'],
  ['${EMPTY:-x}${EMPTY-y}', 'x'],
  ['${N:+yes}${M+no}', 'yes'],
  ['${V#*:}', '3.12-slim'],
  ['${V##*-}', 'slim'],
  ['${V%-*}', 'python:3.12'],
  ['${V%%:*}', 'python'],
  ['${V/slim/alpine}', 'python:3.12-alpine'],
  ['${V//[0-9]/x}', 'python:3.12-slim'],
  ['"a b"$N', 'a b3'],
  ["'$N'", '$N'],
  ['\\$N', '$N'],
  ['"\\n$N"', '\\n3'],
  ['a$', 'a$'],
])('%s is %s', (text, expected) => {
  expect(expandVariables(text, variables)).toBe(expected);
});

it.each([
  ['${N', 'a brace that is not closed'],
  ['${N!x}', 'is not supported'],
  ['${M:?is missing}', 'M: is missing'],
])('%s is refused', (text, why) => {
  expect(() => expandVariables(text, variables)).toThrow(why);
});
