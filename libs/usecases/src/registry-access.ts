import type { Sealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import {
  type Build,
  type Database,
  type Image,
  listRegistryConnections,
  loadBuild,
  type RegistryConnection,
} from '@kiln/persistence';
import type { RegistryAccess } from '@kiln/registry';
import { bindingOf } from '@kiln/domain';

/** Credentials as docker writes them, by registry host: base64 of `user:password`. */
export type RegistryAuths = Record<string, { Auth: string }>;

/** The credentials that came with a build's request. */
export const openRegistryAuths = (sealer: Sealer, buildId: string, sealed: string): RegistryAuths =>
  JSON.parse(sealer.open(sealed, bindingOf('registryAuths', buildId)).reveal()) as RegistryAuths;

/** Who a connection signs in as; undefined for nobody. */
export const credentialsOf = (
  { username, passwordSealed }: Pick<RegistryConnection, 'username' | 'passwordSealed'>,
  sealer: Sealer,
  boundTo: string,
): RegistryAccess['credentials'] =>
  username === null || passwordSealed === null
    ? undefined
    : { username, password: sealer.open(passwordSealed, boundTo) };

const fromConnection = (connection: RegistryConnection, sealer: Sealer): RegistryAccess => ({
  host: connection.host,
  connected: true,
  tlsMode: connection.tlsMode,
  caPem: connection.caPem ?? undefined,
  credentials: credentialsOf(connection, sealer, bindingOf('registryConnection', connection.accountId, connection.id)),
});

function fromAuth(host: string, auth: string): RegistryAccess {
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString().split(':');
  return { host, tlsMode: 'verify', credentials: { username, password: new Secret(password.join(':')) } };
}

/**
 * How to reach the registry of a catalogue entry: by the connection that it names, else the account's for its host,
 * else in nobody's name over TLS.
 */
export async function accessForImage(
  db: Database,
  sealer: Sealer,
  { accountId, host, registryConnectionId }: Pick<Image, 'accountId' | 'host' | 'registryConnectionId'>,
): Promise<RegistryAccess> {
  const fitting = (await listRegistryConnections(db, accountId)).filter((it) => it.host === host);
  const connection = fitting.find((it) => it.id === registryConnectionId) ?? fitting[0];
  return connection ? fromConnection(connection, sealer) : { host, tlsMode: 'verify' };
}

export interface BuildAccess {
  target: RegistryAccess;
  bases: RegistryAccess[];
  /** The account's connection to the target's registry, where it has one. */
  connection: RegistryConnection | undefined;
  /** The target's registry by that connection alone. */
  connected: RegistryAccess | undefined;
  connections: RegistryConnection[];
}

/**
 * How a build reaches its registries: the account's connections, and over them the credentials that came with the
 * request. The target's connection is the one that the request named. Opened afresh just before each use.
 */
export async function accessForBuild(db: Database, sealer: Sealer, build: Build): Promise<BuildAccess> {
  const connections = await listRegistryConnections(db, build.accountId);
  const auths =
    build.registryAuthsSealed === null ? {} : openRegistryAuths(sealer, build.id, build.registryAuthsSealed);
  const byHost = new Map<string, RegistryAccess>(connections.map((it) => [it.host, fromConnection(it, sealer)]));
  const named = connections.find((it) => it.id === build.registryConnectionId);
  if (named) byHost.set(named.host, fromConnection(named, sealer));
  for (const [host, { Auth }] of Object.entries(auths)) {
    const access = fromAuth(host, Auth);
    byHost.set(host, { ...byHost.get(host), ...access, tlsMode: byHost.get(host)?.tlsMode ?? access.tlsMode });
  }
  const connection = named ?? connections.find((it) => it.host === build.host);
  return {
    target: byHost.get(build.host) ?? { host: build.host, tlsMode: 'verify' },
    bases: [...byHost.values()],
    connection,
    connected: connection && fromConnection(connection, sealer),
    connections,
  };
}

/** How to reach what a build has pushed, or, where no build is known, what is in the catalogue. */
export async function accessForDigest(
  db: Database,
  sealer: Sealer,
  it: Pick<Image, 'accountId' | 'host' | 'registryConnectionId' | 'buildId'>,
): Promise<RegistryAccess> {
  const build = it.buildId === null ? undefined : await loadBuild(db, it.buildId);
  return build ? (await accessForBuild(db, sealer, build)).target : accessForImage(db, sealer, it);
}
