import type { Viewer } from '@kiln/persistence';
import { Fault, isAtLeast, type Role } from '@kiln/domain';

/**
 * PUBLIC lets others read, no more: only its creator and those of the account who are at least this change something.
 */
export const mayChange = (viewer: Viewer, it: { accountId: string; userId: string }, least: Role = 'admin'): boolean =>
  viewer.accountId === it.accountId && (isAtLeast(viewer.role, least) || viewer.userId === it.userId);

/**
 * @param what what it is called, e.g. `image 708c…`
 * @throws Fault Forbidden
 */
export function requireOwner(
  viewer: Viewer,
  it: { accountId: string; userId: string },
  what: string,
  least: Role = 'admin',
): void {
  if (!mayChange(viewer, it, least)) throw new Fault('Forbidden', `${what} belongs to another user`);
}
