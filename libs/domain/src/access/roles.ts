/**
 * What a user of an account may do. Viewers read what they may see; developers also make builds and images, and change
 * their own; operators see every workspace, and stop and repeat everybody's builds; admins change everything of the
 * account.
 */
export const roles = ['viewer', 'developer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

const rank = (role: Role): number => roles.indexOf(role);

export const isAtLeast = (role: Role, least: Role): boolean => rank(role) >= rank(least);

/** What a key or token may be narrowed to. */
export const scopes = ['builds:read', 'builds:write', 'images:read', 'images:write'] as const;
export type Scope = (typeof scopes)[number];

/** What a caller has to be let do for an operation. */
export const scopeOfOperation = ({ method, path }: { method: string; path: string }): Scope =>
  `${/\/(?:imagebuilds|jobs|overview|contexts)(?:\/|$)/.test(path) ? 'builds' : 'images'}:${method === 'GET' ? 'read' : 'write'}`;
