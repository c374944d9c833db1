import type { Readable } from 'node:stream';
import { Fault } from '@kiln/domain';
import type { FetchedManifest, RegistryClients } from '../client/client.ts';
import type { GatewayTarget } from './options.ts';
import type { GatewaySources, HeldLayer } from './sources.ts';
import { refused } from '../client/registry-errors.ts';
import { withDigest } from '../client/uploads.ts';
import { headerOf, type RegistryAnswer } from '../client/registry-http.ts';

/** Bytes of a blob on their way to a registry. */
export interface BlobBytes {
  body: Readable;
  /** How many there are, where that is known. */
  length: number | undefined;
  headers?: Record<string, string>;
}

/** Where an engine may write its image. Every error names the repository that it is about. */
export class GatewayWriter {
  readonly #clients: RegistryClients;
  readonly #target: GatewayTarget;
  readonly #signal: AbortSignal;

  constructor(clients: RegistryClients, target: GatewayTarget, signal: AbortSignal) {
    this.#clients = clients;
    this.#target = target;
    this.#signal = signal;
  }

  get #client() {
    return this.#clients.for(this.#target.access);
  }
  get #transport() {
    return this.#clients.transportOf(this.#target.access);
  }
  get #scope(): string {
    return `repository:${this.#target.repository}:pull,push`;
  }

  async #push<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { access, repository } = this.#target;
      const code = error.code === 'RegistryDenied' ? 'PushDenied' : error.code;
      throw new Fault(code, `push to ${access.host}/${repository}: ${error.message}`, error.details, error.cause);
    }
  }

  #refused({ status, body }: RegistryAnswer): Fault {
    return refused(this.#target.access.host, status, 'an upload', body);
  }

  /** undefined when the registry does not hold the blob. */
  head(digest: string): Promise<{ size: number | undefined } | undefined> {
    return this.#push(() => this.#client.headBlob(this.#target.repository, digest));
  }

  /** Begins to upload a blob, and tells where that goes on. */
  begin(): Promise<string> {
    return this.#push(() => this.#begin());
  }

  async #begin(): Promise<string> {
    const answer = await this.#post('');
    const location = headerOf(answer.headers['location']);
    if (answer.status === 202 && location) return location;
    throw this.#refused(answer);
  }

  #post(query: string): Promise<RegistryAnswer> {
    const path = `/v2/${this.#target.repository}/blobs/uploads/${query}`;
    return this.#transport.send({ method: 'POST', path, signal: this.#signal }, this.#scope);
  }

  /** Sends some of a blob's bytes to where its upload goes on. */
  append(location: string, bytes: BlobBytes): Promise<RegistryAnswer> {
    return this.#push(() => this.#send('PATCH', location, bytes));
  }

  /** Sends the last of a blob's bytes. */
  finish(location: string, digest: string, bytes: BlobBytes): Promise<RegistryAnswer> {
    return this.#push(() => this.#send('PUT', withDigest(location, digest), bytes));
  }

  async #send(method: 'PATCH' | 'PUT', path: string, { body, headers, ...more }: BlobBytes): Promise<RegistryAnswer> {
    const answer = await this.#transport.upload(
      {
        method,
        path,
        body,
        headers: { 'content-type': 'application/octet-stream', ...headers },
        signal: this.#signal,
        ...more,
      },
      this.#scope,
    );
    if (answer.status === 201 || answer.status === 202) return answer;
    throw this.#refused(answer);
  }

  /**
   * Gets a base's layer into the target without the engine: it may be there, in the same registry, or somewhere else.
   */
  async bring(held: HeldLayer, sources: GatewaySources): Promise<void> {
    const location = await this.#push(() => this.#mount(held));
    if (location === undefined) return;
    // What is wrong with the source is not this registry's fault.
    const bytes = await sources.open(held.digest, this.#signal);
    try {
      await this.#push(() => this.#send('PUT', withDigest(location, held.digest), bytes));
    } finally {
      // It may not have been read to its end.
      bytes.body.destroy();
    }
  }

  /** @returns where the layer is to be uploaded; undefined when the target has it */
  async #mount({ source, digest }: HeldLayer): Promise<string | undefined> {
    const { access, repository } = this.#target;
    if (await this.#client.headBlob(repository, digest)) return undefined;
    if (source.access.host === access.host) {
      const query = new URLSearchParams({ mount: digest, from: source.repository });
      const answer = await this.#post(`?${query.toString()}`);
      if (answer.status === 201) return undefined;
      const location = answer.status === 202 ? headerOf(answer.headers['location']) : undefined;
      if (location) return location;
    }
    return this.#begin();
  }

  putManifest(manifest: FetchedManifest): Promise<boolean> {
    const { repository, tag = manifest.digest } = this.#target;
    return this.#push(() => this.#client.putManifest(repository, tag, manifest, this.#signal));
  }
}
