import {
  actingFor,
  type Database,
  endToken,
  listRegistryConnections,
  listWorkspaces,
  namesOf,
} from '@kiln/persistence';
import { Fault } from '@kiln/domain';
import { sessionOperations } from '@kiln/contract';
import { beginSession, sessionCookies, sessionMs } from '../callers/browser-session.ts';
import type { Caller } from '../callers/caller.ts';
import type { Directory } from '@kiln/usecases';
import type { Response } from 'express';
import { type Route, route } from '../http/dialect.ts';

const cookieFor = ({ req }: Response) => ({
  name: req.secure ? sessionCookies.safe : sessionCookies.plain,
  options: { httpOnly: true, sameSite: 'strict', secure: req.secure, path: '/' } as const,
});

/** How a browser signs in and out. */
export function sessionRoutes(deps: { db: Database; directory: Directory }): Route[] {
  const { db } = deps;
  const shown = async (caller: Caller, requestId: string) => {
    const [names, workspaces, registries] = await Promise.all([
      namesOf(db, caller),
      listWorkspaces(db, caller),
      listRegistryConnections(db, caller.accountId),
    ]);
    return {
      RequestId: requestId,
      Account: names?.account ?? '',
      AccountId: caller.accountId,
      User: names?.user ?? '',
      UserId: caller.userId,
      Role: caller.role,
      Operates: caller.operates,
      ...(caller.csrfToken === undefined ? {} : { CsrfToken: caller.csrfToken }),
      Workspaces: workspaces.map((it) => ({ WorkspaceId: it.id, Name: it.name })),
      Registries: registries.map((it) => ({ InstanceId: it.id, Host: it.host })),
    };
  };
  return [
    route(sessionOperations.CreateSession, async ({ body, requestId, res }) => {
      const { session, caller } = await beginSession(deps, body.Token);
      const { name, options } = cookieFor(res);
      res.cookie(name, session, { ...options, maxAge: sessionMs });
      return { caller, body: await actingFor(caller.accountId, () => shown(caller, requestId)) };
    }),
    route(sessionOperations.GetSession, async ({ viewer, requestId }) => ({ body: await shown(viewer, requestId) })),
    route(sessionOperations.DeleteSession, async ({ viewer, requestId, res }) => {
      if (viewer.csrfToken === undefined || !viewer.credential)
        throw new Fault('InvalidParameter', 'the request came without a session; a token is ended with "admin revoke"');
      await endToken(db, viewer.credential.id);
      const { name, options } = cookieFor(res);
      res.clearCookie(name, options);
      return { body: { RequestId: requestId } };
    }),
  ];
}
