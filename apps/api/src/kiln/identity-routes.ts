import type { Sealer } from '@kiln/auth';
import { identityOperations } from '@kiln/contract';
import { Fault, fieldFault, isAtLeast } from '@kiln/domain';
import {
  addMember,
  changeUser,
  createUser,
  type Database,
  findUser,
  inTransaction,
  listTokens,
  listUsers,
  ownWorkspaces,
  revokeOwn,
  revokeUser,
  type UserChange,
} from '@kiln/persistence';
import { makeAccessKey, makeToken } from '@kiln/usecases';
import type { Caller } from '../callers/caller.ts';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';

/** @throws Fault UserNotFound, LastAdmin */
function requireChanged(outcome: UserChange, id: string): void {
  if (outcome === 'unknown') throw new Fault('UserNotFound', `the account has no user ${id}`);
  if (outcome === 'last-admin')
    throw new Fault('LastAdmin', `user ${id} is the only admin of the account; make another one first`);
}

/** Users of an account, and what they prove themselves with. */
export function identityRoutes({ db, sealer }: { db: Database; sealer: Sealer }): Route[] {
  /** Whose a new key or token is. @throws Fault Forbidden, UserNotFound */
  const ownerOf = async (viewer: Caller, userId: string | undefined) => {
    const { accountId } = viewer;
    if (userId === undefined || userId === viewer.userId) return { accountId, userId: viewer.userId };
    if (!isAtLeast(viewer.role, 'admin'))
      throw new Fault('Forbidden', 'only admins make keys and tokens of other users; leave UserId out');
    const found = await findUser(db, accountId, userId);
    if (!found || found.revokedAt) throw new Fault('UserNotFound', `the account has no user ${userId}`);
    return { accountId, userId: found.id };
  };
  const requireWorkspaces = async (accountId: string, wanted: readonly string[] = []): Promise<void> => {
    const own = wanted.length > 0 ? await ownWorkspaces(db, accountId) : [];
    const unknown = wanted.find((it) => !own.includes(it));
    if (unknown !== undefined)
      throw fieldFault('WorkspaceNotFound', 'WorkspaceIds', `the account has no workspace ${unknown}`);
  };
  /** Whose a key or token has to be for this caller to revoke it. */
  const whose = (viewer: Caller) => (isAtLeast(viewer.role, 'admin') ? undefined : viewer.userId);
  return [
    route(identityOperations.ListUsers, async ({ viewer, requestId }) => ({
      body: {
        RequestId: requestId,
        Users: (await listUsers(db, viewer.accountId)).map((it) => ({
          UserId: it.id,
          Name: it.name,
          Role: it.role,
          WorkspaceIds: it.workspaceIds,
          GmtCreateTime: it.createdAt.toISOString(),
        })),
      },
    })),
    route(identityOperations.CreateUser, async ({ viewer, body, requestId }) => {
      await requireWorkspaces(viewer.accountId, body.WorkspaceIds);
      // Also one that was revoked: its name stands in the audit log.
      if (await findUser(db, viewer.accountId, body.Name))
        throw fieldFault('InvalidParameter', 'Name', `the account has, or had, a user ${body.Name} already`);
      const { id } = await inTransaction(db, async (tx) => {
        const made = await createUser(tx, viewer.accountId, body.Name, body.Role);
        for (const it of body.WorkspaceIds) await addMember(tx, viewer.accountId, it, made.id);
        return made;
      });
      return { body: { RequestId: requestId, UserId: id } };
    }),
    route(identityOperations.UpdateUser, async ({ viewer, params, body, requestId }) => {
      await requireWorkspaces(viewer.accountId, body.WorkspaceIds);
      const change = { role: body.Role, workspaceIds: body.WorkspaceIds };
      requireChanged(await changeUser(db, viewer.accountId, params.UserId, change), params.UserId);
      return { body: { RequestId: requestId } };
    }),
    route(identityOperations.DeleteUser, async ({ viewer, params, requestId }) => {
      requireChanged(await revokeUser(db, viewer.accountId, params.UserId), params.UserId);
      return { body: { RequestId: requestId } };
    }),
    route(identityOperations.ListTokens, async ({ viewer, requestId }) => ({
      body: {
        RequestId: requestId,
        Tokens: (await listTokens(db, viewer.accountId, whose(viewer))).map((it) => ({
          TokenId: it.id,
          UserId: it.userId,
          ...optional('Scopes', it.scopes ?? undefined),
          GmtCreateTime: it.createdAt.toISOString(),
          ...optional('GmtLastUseTime', it.lastUsedAt?.toISOString()),
          ...optional('GmtExpireTime', it.expiresAt?.toISOString()),
        })),
      },
    })),
    route(identityOperations.MakeToken, async ({ viewer, body, requestId }) => {
      const owner = await ownerOf(viewer, body.UserId);
      const { id, token, expiresAt } = await makeToken(db, owner, { days: body.Days, scopes: body.Scopes });
      return {
        body: { RequestId: requestId, TokenId: id, Token: token.reveal(), GmtExpireTime: expiresAt.toISOString() },
      };
    }),
    route(identityOperations.DeleteToken, async ({ viewer, params, requestId }) => {
      if (!(await revokeOwn(db, 'token', viewer.accountId, params.TokenId, whose(viewer))))
        throw new Fault('TokenNotFound', `there is no token ${params.TokenId} of yours`);
      return { body: { RequestId: requestId } };
    }),
    route(identityOperations.MakeAccessKey, async ({ viewer, body, requestId }) => {
      const { id, secret } = await makeAccessKey(db, sealer, await ownerOf(viewer, body.UserId), body.Scopes);
      return { body: { RequestId: requestId, AccessKeyId: id, AccessKeySecret: secret.reveal() } };
    }),
    route(identityOperations.DeleteAccessKey, async ({ viewer, params, requestId }) => {
      if (!(await revokeOwn(db, 'key', viewer.accountId, params.AccessKeyId, whose(viewer))))
        throw new Fault('AccessKeyNotFound', `there is no access key ${params.AccessKeyId} of yours`);
      return { body: { RequestId: requestId } };
    }),
  ];
}
