import { newToken, sameText, type Sealer } from '@kiln/auth';
import { actingFor, type Database, insertToken, namesOf } from '@kiln/persistence';
import type { CreateTokenBody } from '@kiln/contract';
import { bindingOf, Fault, fieldFault } from '@kiln/domain';
import type { Caller } from './caller.ts';
import type { Directory } from '@kiln/usecases';
import { findProjects, type NamedProject } from '../usecases/projects.ts';

const lifetimeMs = 24 * 3600 * 1000;

export interface IssuedToken {
  token: string;
  method: string;
  issuedAt: Date;
  expiresAt: Date;
  user: { id: string; name: string };
  account: { id: string; name: string };
  project: { id: string; name: string } | undefined;
  /** Whose key it was. */
  caller: Caller;
}

interface Named {
  id?: string | undefined;
  name?: string | undefined;
}

const isNamed = (named: Named, it: { id: string; name: string }): boolean =>
  (named.id === undefined || named.id === it.id) && (named.name === undefined || named.name === it.name);

async function projectsOf(db: Database, accountId: string, { id, name }: Named): Promise<NamedProject[]> {
  if (id === undefined) return findProjects(db, accountId, name ?? '');
  return (await findProjects(db, accountId, undefined)).filter((it) => it.id === id);
}

/** What a request shows for itself: an access key's id and secret, in either of two shapes. */
function shown({ identity }: CreateTokenBody['auth']): {
  method: string;
  keyId: string;
  secret: string;
  domain?: Named;
} {
  if (identity.methods.includes('hw_ak_sk') && identity.hw_ak_sk)
    return { method: 'hw_ak_sk', keyId: identity.hw_ak_sk.access.key, secret: identity.hw_ak_sk.secret.key };
  if (identity.methods.includes('password') && identity.password) {
    const { name, password, domain } = identity.password.user;
    return { method: 'password', keyId: name, secret: password, ...(domain ? { domain } : {}) };
  }
  throw fieldFault(
    'InvalidParameter',
    'auth.identity.methods',
    'must be password or hw_ak_sk, with an object of the same name beside it',
  );
}

/**
 * IAM's call for a token: gives one for the owner of an access key, for 24 hours, and for one project if the request
 * asks for that.
 * @throws Fault InvalidCredentials, the same whatever was wrong; ProjectMismatch when the project is not the account's
 */
export async function issueToken(
  { db, directory, sealer }: { db: Database; directory: Directory; sealer: Sealer },
  { auth }: CreateTokenBody,
): Promise<IssuedToken> {
  const { method, keyId, secret, domain } = shown(auth);
  const key = await directory.accessKey(keyId);
  // A temporary key comes with a security token, for which this call has no place.
  const isGood =
    key?.securityTokenHash === null && key.revokedAt === null && (key.expiresAt?.getTime() ?? Infinity) > Date.now();
  const usable = isGood ? key : undefined;
  const right = sameText(
    usable ? sealer.open(usable.secretSealed, bindingOf('accessKey', keyId)).reveal() : '',
    secret,
  );
  const names = usable && right ? await actingFor(usable.accountId, () => namesOf(db, usable)) : undefined;
  const account = usable && names ? { id: usable.accountId, name: names.account } : undefined;
  const wrongDomain = account && [domain, auth.scope?.domain].some((it) => it !== undefined && !isNamed(it, account));
  if (!usable || !right || !names || !account || wrongDomain)
    throw new Fault('InvalidCredentials', 'the access key, its secret or the domain is wrong');
  const wanted = auth.scope?.project;
  const [project] = wanted ? await actingFor(account.id, () => projectsOf(db, account.id, wanted)) : [];
  if (wanted && !project)
    throw new Fault(
      'ProjectMismatch',
      `auth.scope.project: the account has no project ${wanted.id ?? wanted.name ?? ''}`,
      {
        field: 'auth.scope.project',
      },
    );
  const made = newToken();
  const issuedAt = new Date();
  const expiresAt = new Date(issuedAt.getTime() + lifetimeMs);
  const row = {
    id: made.id,
    accountId: account.id,
    userId: usable.userId,
    hash: made.hash,
    accessKeyId: keyId,
    projectId: project?.id ?? null,
    scopes: usable.scopes,
    expiresAt,
  };
  await actingFor(account.id, () => insertToken(db, row));
  return {
    token: made.token.reveal(),
    method,
    issuedAt,
    expiresAt,
    user: { id: usable.userId, name: names.user },
    account,
    project: project && { id: project.id, name: project.name },
    caller: {
      accountId: usable.accountId,
      userId: usable.userId,
      role: usable.role,
      operates: usable.operates,
      onlyProjectId: null,
      credential: { kind: 'key', id: keyId, scopes: usable.scopes },
    },
  };
}
