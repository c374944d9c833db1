import { type QueryClient, useQuery } from '@tanstack/react-query';
import { isAtLeast as outranks, type Role } from '@kiln/domain/roles';
import { createContext, useContext } from 'react';
import { ApiError, answer, api, keepCsrfToken } from '../api/api-client.ts';
import type { Session } from '../api/replies.ts';

async function fetchSession(): Promise<Session | null> {
  try {
    const session = await answer(api.GET('/api/v1/session'));
    keepCsrfToken(session.CsrfToken);
    return session;
  } catch (error) {
    // Nobody is signed in: that is an answer.
    if (error instanceof ApiError && (error.code === 'MissingParameter' || error.status === 401)) return null;
    throw error;
  }
}

const sessionKey = ['session'];
export const useSessionQuery = () =>
  useQuery({ queryKey: sessionKey, queryFn: fetchSession, staleTime: Infinity, retry: 3 });

/** Another user, or nobody, is signed in from now on: what the last one saw is forgotten. */
export function changeSession(client: QueryClient, session: Session | null): void {
  keepCsrfToken(session?.CsrfToken);
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionKey[0] });
  client.setQueryData(sessionKey, session);
}

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('there is no session here');
  return session;
}

/** What the caller's role lets them do; the api decides it again. */
export const isAtLeast = ({ Role: role }: Session, least: Role): boolean => outranks(role, least);
export const runsInstallation = (session: Session): boolean => session.Operates && isAtLeast(session, 'operator');
export const mayChange = (session: Session, it: { UserId: string }, least: Role): boolean =>
  isAtLeast(session, least) || (it.UserId === session.UserId && isAtLeast(session, 'developer'));
