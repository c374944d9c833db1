import { hashToken, hmacSha256Hex, newToken, type SignedRequest } from '@kiln/auth';
import { actingFor, type Database, insertToken } from '@kiln/persistence';
import { Fault, fieldFault } from '@kiln/domain';
import type { Caller } from './caller.ts';
import type { Directory } from '@kiln/usecases';

export const sessionMs = 12 * 3600 * 1000;

/** Where the connection is safe, the browser gives it to nobody but this very host. */
export const sessionCookies = { safe: '__Host-kiln-session', plain: 'kiln-session' } as const;

/** The session that a request's cookie names. Over TLS only the name that no other host can set. */
export function sessionIn({ headers, secure }: Pick<SignedRequest, 'headers' | 'secure'>): string | undefined {
  const name = secure ? sessionCookies.safe : sessionCookies.plain;
  const pairs = (headers['cookie'] ?? '').split(';').map((it) => it.trim().split('=', 2));
  return pairs.find(([it]) => it === name)?.[1] || undefined;
}

/** What a page sends along with whatever changes something: a page of another origin can neither read nor make it. */
export const csrfTokenOf = (session: string): string => hmacSha256Hex(session, 'kiln-csrf');

/**
 * Begins a browser's session for the owner of a token: a token of its own, which is good in a cookie only, as long as
 * the other is.
 * @throws Fault InvalidToken, Forbidden
 */
export async function beginSession(
  { db, directory }: { db: Database; directory: Directory },
  token: string,
): Promise<{ session: string; caller: Caller }> {
  const found = await directory.token(hashToken(token.trim()));
  if (!found || found.sessionOf !== null) throw fieldFault('InvalidToken', 'Token', 'is unknown, expired or revoked');
  if (found.onlyProjectId !== null)
    throw new Fault('Forbidden', `Token: is for project ${found.onlyProjectId} only; the console shows all of them`);
  const { id: sessionOf, accountId, userId, scopes, accessKeyId } = found;
  const made = newToken();
  const expiresAt = new Date(Date.now() + sessionMs);
  const row = { id: made.id, hash: made.hash, accountId, userId, accessKeyId, scopes, sessionOf, expiresAt };
  await actingFor(accountId, () => insertToken(db, row));
  const session = made.token.reveal();
  const { role, operates } = found;
  return {
    session,
    caller: {
      accountId,
      userId,
      role,
      operates,
      onlyProjectId: null,
      credential: { kind: 'token', id: made.id, scopes },
      csrfToken: csrfTokenOf(session),
    },
  };
}
