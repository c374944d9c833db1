import { createHash, randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline as connect, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asFault, Fault } from '@kiln/schemas';
import { type RegistryClients } from './client.ts';
import { type RegistryAccess } from './connection.ts';
import { isDigest, manifestBytesMax, sha256Digest } from './manifests.ts';
import { headerOf } from './transport.ts';

/** An image that an engine may read: by its digest only. */
export interface GatewaySource {
  access: RegistryAccess;
  repository: string;
}

/** Where an engine may write one image. */
export interface GatewayTarget {
  access: RegistryAccess;
  repository: string;
  /** Tag that its manifest gets, whatever the engine calls it. */
  tag: string;
}

export interface GatewayOptions {
  sources: GatewaySource[];
  target?: GatewayTarget;
  signal: AbortSignal;
  /** Told of bytes of layers as they go from or to a registry. */
  carried?: (bytes: number) => void;
}

/** Most bytes of one layer, as it is sent. */
const layerBytesMax = 20 * 2 ** 30;

const scope = (repository: string, actions: 'pull' | 'pull,push') => `repository:${repository}:${actions}`;

/** Answers an engine's requests by asking the registries behind them. */
export class Exchange {
  pushed: string | undefined;
  fault: Fault | undefined;
  readonly #clients: RegistryClients;
  readonly #options: GatewayOptions;
  /** Where each upload under way goes on. */
  readonly #uploads = new Map<string, string>();

  constructor(clients: RegistryClients, options: GatewayOptions) {
    this.#clients = clients;
    this.#options = options;
  }

  async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      await this.#route(req, res);
    } catch (error) {
      const fault = this.#ofPush(asFault(error));
      // When the engine went away in the middle, it has a reason of its own.
      if (!req.destroyed && !res.destroyed) this.fault ??= fault;
      if (res.headersSent) return void res.destroy();
      // Not one that the engine would try again.
      res.writeHead(400, { 'content-type': 'application/json', connection: 'close' });
      res.end(JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: fault.message }] }));
    }
  }

  #ofPush(fault: Fault): Fault {
    const { target } = this.#options;
    if (!target || fault.code !== 'RegistryDenied') return fault;
    const where = `${target.access.host}/${target.repository}`;
    return new Fault('PushDenied', `push to ${where}: ${fault.message}`, fault.details, fault.cause);
  }

  async #route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { method = '' } = req;
    const url = new URL(req.url ?? '/', 'http://gateway');
    const [, alias, kind, name = '', id] =
      /^\/v2\/(base|image)\/(manifests|blobs)\/([^/]+)\/?([^/]*)$/.exec(url.pathname) ?? [];
    const reads = method === 'GET' || method === 'HEAD';
    if (url.pathname === '/v2/') return void res.end('{}');
    if (alias === 'base' && kind === 'manifests' && reads) return this.#sendManifest(name, method, res);
    if (kind === 'blobs' && reads && name !== 'uploads') {
      if (alias === 'image') return this.#headTarget(name, res);
      return method === 'HEAD' ? this.#headBase(name, res) : this.#sendBlob(name, res);
    }
    if (alias === 'image' && this.#options.target) {
      const target = this.#options.target;
      if (kind === 'blobs' && name === 'uploads') {
        if (method === 'POST') return this.#begin(url, target, res);
        if (method === 'PATCH' || method === 'PUT') return this.#upload(req, method, id ?? '', url, target, res);
      }
      if (kind === 'manifests' && method === 'PUT') return this.#putManifest(req, target, res);
    }
    res.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
  }

  async #sendManifest(digest: string, method: string, res: ServerResponse): Promise<void> {
    const [source] = this.#options.sources;
    const found =
      source && isDigest(digest)
        ? await this.#clients.for(source.access).getManifest(source.repository, digest)
        : undefined;
    if (!found) return void res.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    res.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': found.bytes.length,
      'docker-content-digest': found.digest,
    });
    res.end(method === 'HEAD' ? undefined : found.bytes);
  }

  async #headTarget(digest: string, res: ServerResponse): Promise<void> {
    const { target } = this.#options;
    const size = target && (await this.#clients.for(target.access).headBlob(target.repository, digest));
    if (size === undefined) return void res.writeHead(404).end();
    res.writeHead(200, { 'content-length': size, 'docker-content-digest': digest }).end();
  }

  /** The source that holds a blob. */
  async #holder(digest: string): Promise<{ source: GatewaySource; size: number } | undefined> {
    for (const source of this.#options.sources) {
      const size = isDigest(digest)
        ? await this.#clients.for(source.access).headBlob(source.repository, digest)
        : undefined;
      if (size !== undefined) return { source, size };
    }
    return undefined;
  }

  async #headBase(digest: string, res: ServerResponse): Promise<void> {
    const held = await this.#holder(digest);
    if (!held) return void res.writeHead(404).end();
    res.writeHead(200, { 'content-length': held.size, 'docker-content-digest': digest }).end();
  }

  async #blobOf(
    { access, repository }: GatewaySource,
    digest: string,
    size: number,
  ): Promise<{ body: Readable; length: number }> {
    const { signal } = this.#options;
    const request = { method: 'GET', path: `/v2/${repository}/blobs/${digest}`, signal } as const;
    const { status, headers, body } = await this.#clients
      .transportOf(access)
      .stream(request, scope(repository, 'pull'));
    const length = Number(headerOf(headers['content-length']) ?? size);
    if (status === 200 && length <= layerBytesMax) return { body, length };
    body.destroy();
    throw status === 200
      ? new Fault(
          'BaseImageTooLarge',
          `layer ${digest} of ${access.host}/${repository} has ${length} bytes; ${layerBytesMax} may be`,
        )
      : new Fault('BaseImageNotFound', `registry ${access.host} answers ${status} to layer ${digest} of ${repository}`);
  }

  async #sendBlob(digest: string, res: ServerResponse): Promise<void> {
    const held = await this.#holder(digest);
    if (!held) return void res.writeHead(404).end('{"errors":[{"code":"BLOB_UNKNOWN"}]}');
    const { body, length } = await this.#blobOf(held.source, digest, held.size);
    res.writeHead(200, { 'content-length': length, 'content-type': 'application/octet-stream' });
    const hash = createHash('sha256');
    const { carried } = this.#options;
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Buffer>) {
        let sent = 0;
        for await (const chunk of chunks) {
          sent += chunk.length;
          if (sent > length) break;
          hash.update(chunk);
          carried?.(chunk.length);
          yield chunk;
        }
        if (sent !== length || `sha256:${hash.digest('hex')}` !== digest)
          throw new Fault(
            'ManifestInvalid',
            `registry ${held.source.access.host} sent other bytes than ${digest} stands for`,
          );
      },
      res,
    );
  }

  async #begin(url: URL, target: GatewayTarget, res: ServerResponse): Promise<void> {
    const mount = url.searchParams.get('mount');
    const held = mount === null ? undefined : await this.#holder(mount);
    if (mount !== null && held && (await this.#bring(mount, held, target)))
      return void res.writeHead(201, { location: `/v2/image/blobs/${mount}`, 'docker-content-digest': mount }).end();
    const id = randomUUID();
    this.#uploads.set(id, await this.#openUpload(target));
    res.writeHead(202, { location: `/v2/image/blobs/uploads/${id}`, 'docker-upload-uuid': id, range: '0-0' }).end();
  }

  /** Gets a base's layer into the target without the engine: it may be there, in the same registry, or somewhere else. */
  async #bring(
    digest: string,
    { source, size }: { source: GatewaySource; size: number },
    target: GatewayTarget,
  ): Promise<boolean> {
    const client = this.#clients.for(target.access);
    if ((await client.headBlob(target.repository, digest)) !== undefined) return true;
    if (source.access.host === target.access.host) {
      const query = new URLSearchParams({ mount: digest, from: source.repository });
      const { status, headers } = await this.#send(
        target,
        'POST',
        `/v2/${target.repository}/blobs/uploads/?${query.toString()}`,
      );
      if (status === 201) return true;
      if (status === 202) return this.#copy(digest, source, target, headerOf(headers['location']) ?? '', size);
    }
    return this.#copy(digest, source, target, await this.#openUpload(target), size);
  }

  async #copy(
    digest: string,
    source: GatewaySource,
    target: GatewayTarget,
    location: string,
    size: number,
  ): Promise<boolean> {
    const { body, length } = await this.#blobOf(source, digest, size);
    if (length !== size)
      throw new Fault('ManifestInvalid', `registry ${source.access.host} says two sizes of ${digest}`);
    const { status } = await this.#send(target, 'PUT', withDigest(location, digest), {
      body: counted(body, this.#options.carried),
      length,
    });
    return status === 201;
  }

  async #openUpload(target: GatewayTarget): Promise<string> {
    const { status, headers } = await this.#send(target, 'POST', `/v2/${target.repository}/blobs/uploads/`);
    const location = headerOf(headers['location']);
    if (status === 202 && location) return location;
    throw refusedPush(target, status);
  }

  async #upload(
    req: IncomingMessage,
    method: 'PATCH' | 'PUT',
    id: string,
    url: URL,
    target: GatewayTarget,
    res: ServerResponse,
  ): Promise<void> {
    const location = this.#uploads.get(id);
    if (location === undefined) return void res.writeHead(404).end('{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}');
    const digest = url.searchParams.get('digest');
    const length = req.headers['content-length'];
    const body = {
      body: counted(req, this.#options.carried),
      ...(length === undefined ? {} : { length: Number(length) }),
      headers: {
        'content-type': 'application/octet-stream',
        ...(req.headers['content-range'] ? { 'content-range': req.headers['content-range'] } : {}),
      },
    };
    const path = method === 'PUT' ? withDigest(location, digest ?? '') : location;
    const { status, headers } = await this.#send(target, method, path, body);
    if (status !== 201 && status !== 202) throw refusedPush(target, status);
    const next = headerOf(headers['location']);
    if (method === 'PUT') {
      this.#uploads.delete(id);
      return void res
        .writeHead(201, { location: `/v2/image/blobs/${digest}`, 'docker-content-digest': digest ?? '' })
        .end();
    }
    if (next) this.#uploads.set(id, next);
    const range = headerOf(headers['range']);
    res
      .writeHead(202, {
        location: `/v2/image/blobs/uploads/${id}`,
        'docker-upload-uuid': id,
        ...(range ? { range } : {}),
      })
      .end();
  }

  async #putManifest(req: IncomingMessage, target: GatewayTarget, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of req) {
      size += (chunk as Buffer).length;
      if (size > manifestBytesMax)
        throw new Fault('PushFailed', `the image's manifest has more than ${manifestBytesMax} bytes`);
      chunks.push(chunk as Buffer);
    }
    const bytes = Buffer.concat(chunks);
    const digest = sha256Digest(bytes);
    const mediaType = req.headers['content-type'] ?? 'application/vnd.oci.image.manifest.v1+json';
    const { signal } = this.#options;
    await this.#clients
      .for(target.access)
      .putManifest(target.repository, target.tag, { bytes, digest, mediaType }, signal);
    this.pushed = digest;
    res.writeHead(201, { location: `/v2/image/manifests/${digest}`, 'docker-content-digest': digest }).end();
  }

  /** One request to the target whose answer has no body that matters. */
  async #send(
    { access, repository }: GatewayTarget,
    method: 'POST' | 'PATCH' | 'PUT',
    path: string,
    more: { body?: Readable; length?: number; headers?: Record<string, string> } = { length: 0 },
  ) {
    const transport = this.#clients.transportOf(access);
    const request = { method, path, signal: this.#options.signal, ...more };
    const { status, headers, body } = await transport.stream(request, scope(repository, 'pull,push'));
    body.resume();
    if (status === 401 || status === 403)
      throw new Fault('PushDenied', `push to ${access.host}/${repository}: the registry refuses it (status ${status})`);
    return { status, headers };
  }
}

/** A stream whose bytes are counted as they pass. */
function counted(body: Readable, carried: GatewayOptions['carried']): Readable {
  if (!carried) return body;
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      carried(chunk.length);
      done(null, chunk);
    },
  });
  // Whoever reads it learns of an error by its end.
  connect(body, through, () => undefined);
  return through;
}

const withDigest = (location: string, digest: string): string =>
  `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;

const refusedPush = ({ access, repository }: GatewayTarget, status: number): Fault =>
  status >= 500 || status === 429
    ? new Fault('RegistryUnreachable', `registry ${access.host} answers ${status} to an upload to ${repository}`)
    : new Fault('PushFailed', `push to ${access.host}/${repository}: the registry answers ${status} to an upload`);
