import { Fault } from '@kiln/schemas';
import { type AddressRules } from './address-rules.ts';
import { type RegistryAccess } from './connection.ts';
import { acceptHeader, isDigest, manifestBytesMax, sha256Digest } from './manifests.ts';
import { SeenBlobs } from './seen-blobs.ts';
import { headerOf, RegistryTransport } from './transport.ts';

export interface FetchedManifest {
  bytes: Buffer;
  digest: string;
  mediaType: string;
}

/** The calls of the OCI distribution API that Kiln makes. `repository` is `namespace/name`; `reference` a tag or digest. */
export interface RegistryClient {
  readonly host: string;
  /** undefined when there is no such manifest. Its bytes are checked against their digest. */
  getManifest(repository: string, reference: string): Promise<FetchedManifest | undefined>;
  /** Digest that a tag points to; undefined when there is no such tag. */
  headManifest(repository: string, reference: string): Promise<string | undefined>;
  /** Size in bytes; undefined when the registry does not hold the blob. */
  headBlob(repository: string, digest: string): Promise<number | undefined>;
  /** A small blob, checked against its digest. */
  getBlob(repository: string, digest: string, bytesMax: number): Promise<Buffer | undefined>;
  putManifest(repository: string, reference: string, manifest: FetchedManifest, signal?: AbortSignal): Promise<void>;
  deleteManifest(repository: string, digest: string): Promise<boolean>;
}

function clientOf({ transport, seen }: OpenRegistry): RegistryClient {
  const { host } = transport.access;
  const unexpected = (status: number, what: string) =>
    new Fault('RegistryUnreachable', `registry ${host} answers ${status} to ${what}`);
  const pull = (repository: string) => `repository:${repository}:pull`;
  const push = (repository: string) => `repository:${repository}:pull,push`;

  const checked = (bytes: Buffer, digest: string, what: string) => {
    if (sha256Digest(bytes) !== digest)
      throw new Fault('ManifestInvalid', `${what} does not match its digest ${digest}`);
    return bytes;
  };

  return {
    host,
    async getManifest(repository, reference) {
      const path = `/v2/${repository}/manifests/${reference}`;
      const answer = await transport.send(
        { method: 'GET', path, headers: { accept: acceptHeader }, bytesMax: manifestBytesMax },
        pull(repository),
      );
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer.status, `GET ${path}`);
      const digest = sha256Digest(answer.body);
      if (reference.startsWith('sha256:')) checked(answer.body, reference, `manifest of ${repository}`);
      const declared = headerOf(answer.headers['docker-content-digest']);
      if (declared?.startsWith('sha256:')) checked(answer.body, declared, `manifest ${repository}:${reference}`);
      const [mediaType = ''] = (headerOf(answer.headers['content-type']) ?? '').split(';');
      return { bytes: answer.body, digest, mediaType: mediaType.trim() };
    },
    async headManifest(repository, reference) {
      const path = `/v2/${repository}/manifests/${reference}`;
      const answer = await transport.send(
        { method: 'HEAD', path, headers: { accept: acceptHeader } },
        pull(repository),
      );
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer.status, `HEAD ${path}`);
      // The header is optional; without it the manifest itself tells.
      const digest = headerOf(answer.headers['docker-content-digest']);
      if (digest !== undefined && !isDigest(digest))
        throw new Fault('ManifestInvalid', `registry ${host} calls ${repository}:${reference} ${digest.slice(0, 100)}`);
      return digest ?? (await this.getManifest(repository, reference))?.digest;
    },
    async headBlob(repository, digest) {
      const known = seen.size(repository, digest);
      if (known !== undefined) return known;
      const path = `/v2/${repository}/blobs/${digest}`;
      const answer = await transport.send({ method: 'HEAD', path }, pull(repository));
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer.status, `HEAD ${path}`);
      const length = headerOf(answer.headers['content-length']);
      if (length === undefined) return undefined;
      seen.add(repository, digest, Number(length));
      return Number(length);
    },
    async getBlob(repository, digest, bytesMax) {
      const known = seen.bytes(repository, digest);
      if (known) return known;
      const path = `/v2/${repository}/blobs/${digest}`;
      const answer = await transport.send({ method: 'GET', path, bytesMax }, pull(repository));
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer.status, `GET ${path}`);
      const bytes = checked(answer.body, digest, `blob of ${repository}`);
      seen.keep(repository, digest, bytes);
      return bytes;
    },
    async putManifest(repository, reference, manifest, signal) {
      const path = `/v2/${repository}/manifests/${reference}`;
      const answer = await transport.send(
        { method: 'PUT', path, headers: { 'content-type': manifest.mediaType }, body: manifest.bytes, signal },
        push(repository),
      );
      if (answer.status === 201 || answer.status === 200) return;
      // Such as an immutable tag: asking again will not help.
      if (answer.status < 500)
        throw new Fault(
          'PushFailed',
          `registry ${host} refuses ${reference} of ${repository} (status ${answer.status})`,
        );
      throw unexpected(answer.status, `PUT ${path}`);
    },
    async deleteManifest(repository, digest) {
      const path = `/v2/${repository}/manifests/${digest}`;
      const answer = await transport.send({ method: 'DELETE', path }, `repository:${repository}:pull,push,delete`);
      return answer.status === 202 || answer.status === 200;
    },
  };
}

interface OpenRegistry {
  transport: RegistryTransport;
  seen: SeenBlobs;
}

export interface RegistryClients {
  /** The client for a registry; connections and tokens are kept between calls with the same access. */
  for(access: RegistryAccess): RegistryClient;
  /** Its connections, for calls of the API that only pass bytes on. */
  transportOf(access: RegistryAccess): RegistryTransport;
  close: () => Promise<void>;
}

// Enough for the registries that one process talks to at a time; the one unused longest goes first.
const registriesMax = 64;

/** @param rules which addresses registries, and what they lead to, may have */
export function openRegistryClients(rules: AddressRules): RegistryClients {
  const registries = new Map<string, OpenRegistry>();
  const open = (access: RegistryAccess): OpenRegistry => {
    const { host, tlsMode, caPem = '', credentials } = access;
    const key = JSON.stringify([host, tlsMode, caPem, credentials?.username, credentials?.password.reveal()]);
    const registry = registries.get(key) ?? { transport: new RegistryTransport(access, rules), seen: new SeenBlobs() };
    registries.delete(key);
    registries.set(key, registry);
    const [oldest] = registries.keys();
    if (registries.size > registriesMax && oldest !== undefined) {
      void registries.get(oldest)?.transport.close();
      registries.delete(oldest);
    }
    return registry;
  };
  return {
    for: (access) => clientOf(open(access)),
    transportOf: (access) => open(access).transport,
    async close() {
      await Promise.all([...registries.values()].map((it) => it.transport.close()));
    },
  };
}
