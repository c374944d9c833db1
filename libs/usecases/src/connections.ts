import type { Sealer } from '@kiln/auth';
import { bindingOf, compressionLevelMax, fieldFault, type CompressionChoice } from '@kiln/domain';
import type { Secret } from '@kiln/kit';
import { type Executor, putBuildSecret, putRegistryConnection, putSourceConnection } from '@kiln/persistence';
import type { RegistryAccess } from '@kiln/registry';
import { privateKeyProblem, readKnownHosts } from '@kiln/sources';

interface Deps {
  db: Executor;
  sealer: Sealer;
}

interface Access {
  host: string;
  tlsMode: RegistryAccess['tlsMode'];
  caPem?: string | undefined;
  username?: string | undefined;
  password?: Secret | undefined;
}

/** @throws Fault InvalidParameter for one without the other */
function requirePair({ username, password }: Access): void {
  if (username !== undefined && password === undefined)
    throw fieldFault('InvalidParameter', 'Password', 'is required with Username');
  if (username === undefined && password !== undefined)
    throw fieldFault('InvalidParameter', 'Username', 'is required with Password');
}

/** Keeps a registry connection, or replaces the one of the same id. @throws Fault InvalidParameter */
export async function connectRegistry(
  { db, sealer }: Deps,
  accountId: string,
  id: string,
  it: Access & {
    compression: CompressionChoice;
    compressionLevel?: number | undefined;
    cacheRepository?: string | undefined;
  },
): Promise<void> {
  requirePair(it);
  const { compression, compressionLevel } = it;
  if (compressionLevel !== undefined && compression === 'auto')
    throw fieldFault('InvalidParameter', 'CompressionLevel', 'needs Compression gzip or zstd');
  if (compression !== 'auto' && (compressionLevel ?? 1) > compressionLevelMax[compression])
    throw fieldFault(
      'InvalidParameter',
      'CompressionLevel',
      `of ${compression} is a whole number from 1 to ${compressionLevelMax[compression]}`,
    );
  await putRegistryConnection(db, {
    accountId,
    id,
    host: it.host,
    tlsMode: it.tlsMode,
    caPem: it.caPem ?? null,
    username: it.username ?? null,
    passwordSealed: it.password ? sealer.seal(it.password, bindingOf('registryConnection', accountId, id)) : null,
    compression,
    compressionLevel: compressionLevel ?? null,
    takesZstd: null,
    cacheRepository: it.cacheRepository ?? null,
    takesCache: null,
  });
}

/** Keeps how builds reach a host that contexts are fetched from. @throws Fault InvalidParameter */
export async function connectSource(
  { db, sealer }: Deps,
  accountId: string,
  it: Access & { privateKey?: Secret | undefined; knownHosts?: string | undefined },
): Promise<void> {
  requirePair(it);
  const host = it.host.toLowerCase();
  const seal = (value: Secret | undefined) =>
    value ? sealer.seal(value, bindingOf('sourceConnection', accountId, host)) : null;
  const problem = it.privateKey && (await privateKeyProblem(it.privateKey.reveal()));
  if (problem !== undefined) throw fieldFault('InvalidParameter', 'PrivateKey', problem);
  if (it.knownHosts !== undefined && readKnownHosts(it.knownHosts).length === 0)
    throw fieldFault('InvalidParameter', 'KnownHosts', `has no key of a host; print them with: ssh-keyscan ${host}`);
  await putSourceConnection(db, {
    accountId,
    host,
    tlsMode: it.tlsMode,
    caPem: it.caPem ?? null,
    username: it.username ?? null,
    passwordSealed: seal(it.password),
    keySealed: seal(it.privateKey),
    knownHosts: it.knownHosts ?? null,
  });
}

/** Keeps what builds may mount, or replaces it. @throws Fault InvalidParameter */
export async function keepSecret({ db, sealer }: Deps, accountId: string, name: string, value: Secret): Promise<void> {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name))
    throw fieldFault('InvalidParameter', 'Name', 'must be 1 to 64 letters, digits, dots, hyphens or underscores');
  const size = Buffer.byteLength(value.reveal());
  if (size === 0 || size > 65_536) throw fieldFault('InvalidParameter', 'Value', 'must be 1 to 65536 bytes');
  const sealed = sealer.seal(value, bindingOf('buildSecret', accountId, name));
  await putBuildSecret(db, { accountId, name, sealed });
}
