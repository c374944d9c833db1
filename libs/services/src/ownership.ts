import { type Viewer } from '@kiln/persistence';
import { Fault } from '@kiln/schemas';

/** PUBLIC lets others read, no more: only its creator and the account's admins change something. */
export const mayChange = (viewer: Viewer, it: { accountId: string; userId: string }): boolean =>
  viewer.accountId === it.accountId && (viewer.role === 'admin' || viewer.userId === it.userId);

/**
 * @param what what it is called, e.g. `image 708c…`
 * @throws Fault Forbidden
 */
export function requireOwner(viewer: Viewer, it: { accountId: string; userId: string }, what: string): void {
  if (!mayChange(viewer, it)) throw new Fault('Forbidden', `${what} belongs to another user`);
}
