/** What a jail can hold a build to. */
export const abilities = [
  'own users', 'own processes', 'own files', 'own network', 'memory', 'cpu', 'pids', 'disk', 'time', 'system calls',
] as const; // prettier-ignore
export type Ability = (typeof abilities)[number];

/** What is left of it where the builder is root of a user namespace, and not of the machine. */
export const withoutRoot = [
  'own processes',
  'own files',
  'own network',
  'time',
  'system calls',
] as const satisfies Ability[];
