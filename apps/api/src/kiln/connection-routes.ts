import type { Sealer } from '@kiln/auth';
import { connectionOperations } from '@kiln/contract';
import { asFault, Fault, fieldFault, type TlsMode } from '@kiln/domain';
import { Secret } from '@kiln/kit';
import {
  type Database,
  listBuildSecrets,
  listSourceConnections,
  removeBuildSecret,
  removeRegistryConnection,
  removeSourceConnection,
} from '@kiln/persistence';
import { checkRegistry, type RegistryClients } from '@kiln/registry';
import { connectRegistry, connectSource, keepSecret } from '@kiln/usecases';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';

interface AccessBody {
  Tls: TlsMode;
  CaPem?: string | undefined;
  Username?: string | undefined;
  Password?: string | undefined;
}

const accessOf = (host: string, { Tls, CaPem, Username, Password }: AccessBody) => ({
  host,
  tlsMode: Tls,
  caPem: CaPem,
  username: Username,
  password: Password === undefined ? undefined : new Secret(Password),
});

/** How an account reaches what is outside, and what its builds may mount. */
export function connectionRoutes({
  db,
  sealer,
  registries,
}: {
  db: Database;
  sealer: Sealer;
  registries: RegistryClients;
}): Route[] {
  const deps = { db, sealer };
  return [
    route(connectionOperations.PutRegistry, async ({ viewer, params, body, requestId }) => {
      const { InstanceId } = params;
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(InstanceId))
        throw fieldFault('InvalidParameter', 'InstanceId', 'must be letters, digits, dots, hyphens and underscores');
      const access = accessOf(body.Host, body);
      const { username, password } = access;
      const credentials = username !== undefined && password ? { username, password } : undefined;
      const check = async (field: string, repository: string | undefined): Promise<void> => {
        try {
          await checkRegistry(registries, { ...access, connected: true, credentials }, repository);
        } catch (error) {
          const { code, message, details } = asFault(error);
          if (code === 'InternalError') throw error;
          // That nobody answers there is the request's mistake.
          throw fieldFault(code === 'RegistryUnreachable' ? 'InvalidParameter' : code, field, message, details);
        }
      };
      await check('Host', body.Repository);
      if (body.CacheRepository !== undefined) await check('CacheRepository', body.CacheRepository);
      await connectRegistry(deps, viewer.accountId, InstanceId, {
        ...access,
        compression: body.Compression,
        compressionLevel: body.CompressionLevel,
        cacheRepository: body.CacheRepository,
      });
      return { body: { RequestId: requestId, Pushed: body.Repository !== undefined } };
    }),
    route(connectionOperations.DeleteRegistry, async ({ viewer, params, requestId }) => {
      if (!(await removeRegistryConnection(db, viewer.accountId, params.InstanceId)))
        throw new Fault('RegistryConnectionNotFound', `the account has no registry connection ${params.InstanceId}`);
      return { body: { RequestId: requestId } };
    }),
    route(connectionOperations.ListSecrets, async ({ viewer, requestId }) => ({
      body: {
        RequestId: requestId,
        Secrets: (await listBuildSecrets(db, viewer.accountId)).map((it) => ({
          Name: it.name,
          GmtCreateTime: it.createdAt.toISOString(),
          GmtModifiedTime: it.updatedAt.toISOString(),
        })),
      },
    })),
    route(connectionOperations.PutSecret, async ({ viewer, params, body, requestId }) => {
      await keepSecret(deps, viewer.accountId, params.Name, new Secret(body.Value));
      return { body: { RequestId: requestId } };
    }),
    route(connectionOperations.DeleteSecret, async ({ viewer, params, requestId }) => {
      if (!(await removeBuildSecret(db, viewer.accountId, params.Name)))
        throw new Fault('SecretNotFound', `the account has no build secret ${params.Name}`);
      return { body: { RequestId: requestId } };
    }),
    route(connectionOperations.ListSources, async ({ viewer, requestId }) => ({
      body: {
        RequestId: requestId,
        Sources: (await listSourceConnections(db, viewer.accountId)).map((it) => ({
          Host: it.host,
          Tls: it.tlsMode,
          ...optional('Username', it.username ?? undefined),
          HasKey: it.keySealed !== null,
          HasKnownHosts: it.knownHosts !== null,
        })),
      },
    })),
    route(connectionOperations.PutSource, async ({ viewer, params, body, requestId }) => {
      await connectSource(deps, viewer.accountId, {
        ...accessOf(params.Host, body),
        privateKey: body.PrivateKey === undefined ? undefined : new Secret(body.PrivateKey),
        knownHosts: body.KnownHosts,
      });
      return { body: { RequestId: requestId } };
    }),
    route(connectionOperations.DeleteSource, async ({ viewer, params, requestId }) => {
      if (!(await removeSourceConnection(db, viewer.accountId, params.Host.toLowerCase())))
        throw new Fault('SourceConnectionNotFound', `the account keeps nothing for host ${params.Host}`);
      return { body: { RequestId: requestId } };
    }),
  ];
}
