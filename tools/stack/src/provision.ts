import { newAccessKey, newToken, openSealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { createAccount, type Database, insertAccessKey, insertToken, putRegistryConnection } from '@kiln/persistence';
import { bindingOf } from '@kiln/domain';

export interface ProvisionedAccount {
  accountId: string;
  accountName: string;
  userId: string;
  projectId: string;
  workspaceId: string;
  accessKeyId: string;
  accessKeySecret: string;
  token: string;
  connectionId: string;
}

/** Makes an account with everything that a first build needs: a key, a token, and a connection to a plain registry. */
export async function provisionAccount(
  db: Database,
  sealingKey: string,
  name: string,
  registryHost: string,
): Promise<ProvisionedAccount> {
  const sealer = openSealer(new Secret(sealingKey));
  const { id: accountId, userId, projectId, workspaceId } = await createAccount(db, name);
  const key = newAccessKey();
  await insertAccessKey(db, {
    id: key.id,
    accountId,
    userId,
    secretSealed: sealer.seal(key.secret, bindingOf('accessKey', key.id)),
  });
  const token = newToken();
  await insertToken(db, { id: token.id, accountId, userId, hash: token.hash, expiresAt: null });
  const connectionId = 'cri-local';
  await putRegistryConnection(db, { accountId, id: connectionId, host: registryHost, tlsMode: 'http' });
  return {
    accountId,
    accountName: name,
    userId,
    projectId,
    workspaceId,
    accessKeyId: key.id,
    accessKeySecret: key.secret.reveal(),
    token: token.token.reveal(),
    connectionId,
  };
}
