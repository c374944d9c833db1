import { newAccessKey, newToken, type Sealer } from '@kiln/auth';
import { bindingOf, type Scope } from '@kiln/domain';
import type { Secret } from '@kiln/kit';
import { type Executor, insertAccessKey, insertToken } from '@kiln/persistence';

interface Owner {
  accountId: string;
  userId: string;
}

/** Makes an access key that lasts. @param scopes all that its user may do when left out */
export async function makeAccessKey(
  db: Executor,
  sealer: Sealer,
  owner: Owner,
  scopes: Scope[] | undefined,
): Promise<{ id: string; secret: Secret }> {
  const { id, secret } = newAccessKey();
  const secretSealed = sealer.seal(secret, bindingOf('accessKey', id));
  await insertAccessKey(db, { id, ...owner, secretSealed, scopes: scopes ?? null });
  return { id, secret };
}

/** Makes a token for some days. @param scopes all that its user may do when left out */
export async function makeToken(
  db: Executor,
  owner: Owner,
  { days, scopes }: { days: number; scopes?: Scope[] | undefined },
): Promise<{ id: string; token: Secret; expiresAt: Date }> {
  const { id, token, hash } = newToken();
  const expiresAt = new Date(Date.now() + days * 86_400_000);
  await insertToken(db, { id, ...owner, hash, scopes: scopes ?? null, expiresAt });
  return { id, token, expiresAt };
}
