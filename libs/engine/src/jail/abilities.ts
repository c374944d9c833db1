/** What a jail can hold a build to. */
export const abilities = [
  'own users', 'own processes', 'own files', 'own network', 'memory', 'cpu', 'pids', 'disk', 'time', 'system calls',
] as const; // prettier-ignore
export type Ability = (typeof abilities)[number];
