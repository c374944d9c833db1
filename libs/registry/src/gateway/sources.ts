import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Fault } from '@kiln/domain';
import type { FetchedManifest, RegistryClients } from '../client/client.ts';
import type { GatewayOptions, GatewaySource } from './options.ts';
import { manifestSchema, parseDocument } from '../client/manifests.ts';
import { explain, refused } from '../client/registry-errors.ts';
import { headerOf } from '../client/registry-http.ts';

/** Most bytes of one layer, as it is sent. */
const layerBytesMax = 20 * 2 ** 30;

/** A layer, and which of the sources holds it. */
export interface HeldLayer {
  source: GatewaySource;
  digest: string;
  /** In bytes, where the registry tells. */
  size: number | undefined;
}

export interface LayerBytes {
  /** Whoever gets it reads or destroys it. */
  body: Readable;
  /** How many there are, where the registry tells. */
  length: number | undefined;
}

/** Digests of what an image consists of, beside its manifest. */
function blobsOf({ bytes, digest }: FetchedManifest): Set<string> {
  const { config, layers } = parseDocument(manifestSchema, bytes, `manifest ${digest}`);
  return new Set([config.digest, ...layers.map((it) => it.digest)]);
}

function streamOf(bytes: AsyncIterable<Buffer>, from: Readable): Readable {
  const stream = Readable.from(bytes, { objectMode: false });
  // Who reads it learns of it; one that nobody has begun to read must let go of its connection, too.
  stream.on('error', () => undefined);
  stream.on('close', () => from.destroy());
  return stream;
}

/** What an engine may read: images by their digests, and of those nothing but what they consist of. */
export class GatewaySources {
  readonly #clients: RegistryClients;
  readonly #options: GatewayOptions;
  readonly #blobs: Map<GatewaySource, Set<string>>;

  constructor(clients: RegistryClients, options: GatewayOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#blobs = new Map(options.sources.map((it) => [it, blobsOf(it.manifest)]));
  }

  /** The manifest of a base. */
  manifest(digest: string): FetchedManifest | undefined {
    return this.#options.sources.find((it) => it.manifest.digest === digest)?.manifest;
  }

  /** Whether a digest is that of a base, or of a part of one. */
  has(digest: string): boolean {
    return this.manifest(digest) !== undefined || this.#with(digest).length > 0;
  }

  /** Sources whose image has a blob. */
  #with(digest: string): GatewaySource[] {
    return this.#options.sources.filter((it) => this.#blobs.get(it)?.has(digest));
  }

  /** The first source that holds a layer. */
  async find(digest: string): Promise<HeldLayer | undefined> {
    for (const source of this.#with(digest)) {
      const held = await this.#clients.for(source.access).headBlob(source.repository, digest);
      if (held) return { source, digest, ...held };
    }
    return undefined;
  }

  /**
   * Begins to read a layer from the first source that holds it. Its bytes are checked as they pass: the last ones do
   * not come when they are not what the digest stands for.
   * @param signal ends the reading; the build's own when left out
   * @throws Fault RegistryUnreachable, RegistryDenied, RegistryRefused, BaseImageTooLarge, BlobMissing; the body
   * RegistryUnreachable, ManifestInvalid
   */
  async open(digest: string, signal = this.#options.signal): Promise<LayerBytes> {
    for (const source of this.#with(digest)) {
      const opened = await this.#openAt(source, digest, signal);
      if (opened) return opened;
    }
    const places = this.#options.sources.map((it) => `${it.access.host}/${it.repository}`).join(', ');
    throw new Fault('BlobMissing', `registry answers 404 to layer ${digest}, which the image needs: ${places}`);
  }

  async #openAt(source: GatewaySource, digest: string, signal: AbortSignal): Promise<LayerBytes | undefined> {
    const { access, repository } = source;
    const { layers, onBaseLayer } = this.#options;
    const place = { ...access, repository };
    const kept = await layers?.read(place, digest);
    if (kept) {
      onBaseLayer?.('disk', kept.length);
      return kept;
    }
    const what = `layer ${digest} of ${repository}`;
    const request = { method: 'GET', path: `/v2/${repository}/blobs/${digest}`, signal } as const;
    const { status, headers, body } = await this.#clients
      .transportOf(access)
      .open(request, `repository:${repository}:pull`)
      .catch((error: unknown) => {
        if (!(error instanceof Fault)) throw error;
        throw new Fault(error.code, `${what}: ${error.message}`, error.details, error.cause);
      });
    const declared = Number(headerOf(headers['content-length']) ?? NaN);
    const length = Number.isFinite(declared) ? declared : undefined;
    if (status === 200 && (length ?? 0) <= layerBytesMax) {
      onBaseLayer?.('registry', length ?? 0);
      const checked = this.#checked(body, source, digest, length, signal);
      return { body: streamOf(layers ? layers.keep(place, digest, checked) : checked, body), length };
    }
    body.destroy();
    if (status === 404) return undefined;
    if (status !== 200) throw refused(access.host, status, what);
    throw new Fault(
      'BaseImageTooLarge',
      `layer ${digest} of ${access.host}/${repository} has ${length ?? 0} bytes; ${layerBytesMax} may be`,
    );
  }

  async *#checked(
    body: Readable,
    { access: { host } }: GatewaySource,
    digest: string,
    length: number | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    const most = length ?? layerBytesMax;
    let sent = 0;
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        sent += chunk.length;
        if (sent > most) break;
        hash.update(chunk);
        this.#options.onBytes?.(chunk.length);
        yield chunk;
      }
    } catch (error) {
      signal.throwIfAborted();
      const why = explain(error);
      if (why === undefined) throw error;
      const message = `registry ${host} broke off in layer ${digest}, after ${sent} bytes: ${why}`;
      throw new Fault('RegistryUnreachable', message, {}, error);
    }
    if (sent > most || (length !== undefined && sent !== length) || `sha256:${hash.digest('hex')}` !== digest)
      throw new Fault('ManifestInvalid', `registry ${host} sent other bytes than layer ${digest} stands for`);
  }
}
