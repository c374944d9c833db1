import type { Readable } from 'node:stream';
import { Fault } from '@kiln/domain';
import { backoffMs, retry } from '@kiln/kit';
import type { AddressRules } from '../egress/address-rules.ts';
import type { RegistryAccess } from './connection.ts';
import { acceptHeader, isDigest, manifestBytesMax, sha256Digest } from './manifests.ts';
import { refused } from './registry-errors.ts';
import { withDigest } from './uploads.ts';
import { headerOf, type RegistryAnswer } from './registry-http.ts';
import { SeenBlobs } from './seen-blobs.ts';
import { RegistryTransport } from './transport.ts';

export interface FetchedManifest {
  bytes: Buffer;
  digest: string;
  mediaType: string;
}

/**
 * The calls of the OCI distribution API that Kiln makes. `repository` is `namespace/name`; `reference` a tag or digest.
 */
export interface RegistryClient {
  readonly host: string;
  /** undefined when there is no such manifest. Its bytes are checked against their digest. */
  getManifest(repository: string, reference: string): Promise<FetchedManifest | undefined>;
  /** Digest that a tag points to; undefined when there is no such tag. */
  headManifest(repository: string, reference: string): Promise<string | undefined>;
  /** Size in bytes, where the registry tells it; undefined when it does not hold the blob. */
  headBlob(repository: string, digest: string): Promise<{ size: number | undefined } | undefined>;
  /** A small blob, checked against its digest. */
  getBlob(repository: string, digest: string, bytesMax: number): Promise<Buffer | undefined>;
  /** A layer as it comes, not checked against its digest. @throws Fault BlobMissing */
  openBlob(repository: string, digest: string, signal: AbortSignal): Promise<Readable>;
  /** A small blob, sent in one piece where it is not there yet. */
  putBlob(repository: string, bytes: Buffer, signal?: AbortSignal): Promise<{ digest: string; size: number }>;
  /** @returns whether the registry lists the manifest itself among those that refer to its subject */
  putManifest(repository: string, reference: string, manifest: FetchedManifest, signal?: AbortSignal): Promise<boolean>;
  deleteManifest(repository: string, digest: string): Promise<boolean>;
}

/** Statuses of HEAD that say nothing of the thing itself: the method is not known, or a link is not for it. */
const isNoAnswerToHead = ({ status, elsewhere }: RegistryAnswer): boolean =>
  status === 405 || status === 501 || (elsewhere && status === 403);

/**
 * Whether a registry does not know a blob that it was sent before: one that links it while somebody else pushes the same one
 * says so for a moment (distribution 2.8).
 */
const missesBlob = (error: unknown): boolean => error instanceof Fault && error.message.includes('BLOB_UNKNOWN');
const manifestTries = 4;

/** A size as a header has it. */
const sizeIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

function clientOf({ transport, seen }: OpenRegistry): RegistryClient {
  const { host } = transport.access;
  const pull = (repository: string) => `repository:${repository}:pull`;
  const push = (repository: string) => `repository:${repository}:pull,push`;
  const unexpected = ({ status, body }: RegistryAnswer, what: string) => refused(host, status, what, body);

  const checked = (bytes: Buffer, digest: string, what: string) => {
    if (sha256Digest(bytes) !== digest)
      throw new Fault('ManifestInvalid', `registry ${host} sent a ${what} that does not match its digest ${digest}`);
    return bytes;
  };

  /** Asks for one byte of a blob, where HEAD does not tell: its range says how many there are. */
  async function probeBlob(repository: string, digest: string): Promise<{ size: number | undefined } | undefined> {
    const path = `/v2/${repository}/blobs/${digest}`;
    const answer = await transport.open({ method: 'GET', path, headers: { range: 'bytes=0-0' } }, pull(repository));
    const { status, headers, body } = answer;
    if (status !== 200 && status !== 206) {
      body.destroy();
      // A range of nothing cannot be given: the blob is empty.
      if (status === 416) return { size: 0 };
      if (status === 404) return undefined;
      throw refused(host, status, `GET ${path}`);
    }
    body.destroy();
    const total =
      status === 206 ? headerOf(headers['content-range'])?.split('/')[1] : headerOf(headers['content-length']);
    return { size: sizeIn(total) };
  }

  return {
    host,
    async getManifest(repository, reference) {
      const path = `/v2/${repository}/manifests/${reference}`;
      const answer = await transport.send(
        { method: 'GET', path, headers: { accept: acceptHeader }, bytesMax: manifestBytesMax },
        pull(repository),
      );
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer, `GET ${path}`);
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
      const digest = headerOf(answer.headers['docker-content-digest']);
      // The header is optional, and so to some is HEAD; without it the manifest itself tells.
      if (isNoAnswerToHead(answer) || (answer.status === 200 && digest === undefined))
        return (await this.getManifest(repository, reference))?.digest;
      if (answer.status !== 200) throw unexpected(answer, `HEAD ${path}`);
      if (digest !== undefined && !isDigest(digest))
        throw new Fault('ManifestInvalid', `registry ${host} calls ${repository}:${reference} ${digest.slice(0, 100)}`);
      return digest;
    },
    async headBlob(repository, digest) {
      const known = seen.size(repository, digest);
      if (known !== undefined) return { size: known };
      const path = `/v2/${repository}/blobs/${digest}`;
      const answer = await transport.send({ method: 'HEAD', path }, pull(repository));
      if (answer.status === 404) return undefined;
      const told = sizeIn(headerOf(answer.headers['content-length']));
      const isTold = answer.status === 200 && told !== undefined;
      if (answer.status !== 200 && !isNoAnswerToHead(answer)) throw unexpected(answer, `HEAD ${path}`);
      const held = isTold ? { size: told } : await probeBlob(repository, digest);
      if (held?.size !== undefined) seen.add(repository, digest, held.size);
      return held;
    },
    async getBlob(repository, digest, bytesMax) {
      const known = seen.bytes(repository, digest);
      if (known) return known;
      const path = `/v2/${repository}/blobs/${digest}`;
      const answer = await transport.send({ method: 'GET', path, bytesMax }, pull(repository));
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw unexpected(answer, `GET ${path}`);
      const bytes = checked(answer.body, digest, `blob of ${repository}`);
      seen.keep(repository, digest, bytes);
      return bytes;
    },
    async openBlob(repository, digest, signal) {
      const path = `/v2/${repository}/blobs/${digest}`;
      const { status, body } = await transport.open({ method: 'GET', path, signal }, pull(repository));
      if (status === 200) return body;
      body.destroy();
      if (status === 404) throw new Fault('BlobMissing', `registry ${host} does not hold ${digest}`);
      throw refused(host, status, `GET ${path}`);
    },
    async putBlob(repository, bytes, signal) {
      const digest = sha256Digest(bytes);
      const held = { digest, size: bytes.length };
      if (await this.headBlob(repository, digest)) return held;
      const path = `/v2/${repository}/blobs/uploads/`;
      const begun = await transport.send({ method: 'POST', path, signal }, push(repository));
      const location = headerOf(begun.headers['location']);
      if (begun.status !== 202 || location === undefined) throw unexpected(begun, `POST ${path}`);
      const headers = { 'content-type': 'application/octet-stream' };
      const put = { method: 'PUT', path: withDigest(location, digest), body: bytes, headers, signal } as const;
      const answer = await transport.send(put, push(repository));
      if (answer.status !== 201 && answer.status !== 204) throw unexpected(answer, 'an upload');
      return held;
    },
    async putManifest(repository, reference, manifest, signal) {
      const path = `/v2/${repository}/manifests/${reference}`;
      const headers = { 'content-type': manifest.mediaType };
      const put = { method: 'PUT', path, headers, body: manifest.bytes, signal } as const;
      const answer = await retry(
        async () => {
          const it = await transport.send(put, push(repository));
          // Such as an immutable tag: asking again will not help.
          if (it.status !== 201 && it.status !== 200) throw unexpected(it, `PUT ${path}`);
          return it;
        },
        { tries: manifestTries, isPassing: missesBlob, pauseMs: (tried) => backoffMs(tried, 200, 2000), signal },
      );
      return headerOf(answer.headers['oci-subject']) !== undefined;
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
      void registries
        .get(oldest)
        ?.transport.close()
        .catch(() => undefined);
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
