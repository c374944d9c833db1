import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asFault, Fault } from '@kiln/domain';
import { readAtMost } from '@kiln/kit';
import type { RegistryClients } from '../client/client.ts';
import type { GatewayOptions, GatewayTarget } from './options.ts';
import { GatewaySources } from './sources.ts';
import { GatewayWriter } from './target.ts';
import { manifestBytesMax, sha256Digest } from '../client/manifests.ts';
import { headerOf } from '../client/registry-http.ts';

const unknown = (res: ServerResponse, code: string): void =>
  void res.writeHead(404).end(JSON.stringify({ errors: [{ code }] }));

function sendHead(digest: string, held: { size: number | undefined } | undefined, res: ServerResponse): void {
  if (!held) return unknown(res, 'BLOB_UNKNOWN');
  const length = held.size === undefined ? {} : { 'content-length': held.size };
  res.writeHead(200, { ...length, 'docker-content-digest': digest }).end();
}

/** The engine broke off what it was sending: it has a reason of its own. */
class EngineGone extends Error {}

/** Where a request goes: what follows the build's own prefix, with which links begin. */
export interface RequestPlace {
  path: string;
  query: URLSearchParams;
  prefix: string;
}

/** Answers an engine's requests by asking the registries behind them. */
export class Exchange {
  pushed: string | undefined;
  fault: Fault | undefined;
  readonly #options: GatewayOptions;
  readonly #sources: GatewaySources;
  readonly #clients: RegistryClients;
  #writer: GatewayWriter | undefined;
  /** Where each upload under way goes on. */
  readonly #uploads = new Map<string, string>();

  constructor(clients: RegistryClients, options: GatewayOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#sources = new GatewaySources(clients, options);
  }

  /** From now on, the engine may write its image there. */
  writeTo(target: GatewayTarget): void {
    [this.pushed, this.fault] = [undefined, undefined];
    this.#writer = new GatewayWriter(this.#clients, target, target.signal ?? this.#options.signal);
  }

  has(digest: string): boolean {
    return this.#sources.has(digest);
  }

  async answer(req: IncomingMessage, res: ServerResponse, at: RequestPlace): Promise<void> {
    try {
      await this.#route(req, res, at);
    } catch (error) {
      const isOwn = error instanceof Fault || !(error instanceof EngineGone || res.destroyed);
      const fault = asFault(error);
      if (isOwn) this.fault ??= fault;
      if (res.headersSent || res.destroyed) return void res.destroy();
      // Not one that the engine would try again.
      res.writeHead(400, { 'content-type': 'application/json', connection: 'close' });
      res.end(JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: fault.message }] }));
    }
  }

  async #route(req: IncomingMessage, res: ServerResponse, at: RequestPlace): Promise<void> {
    const { method = '' } = req;
    const [, alias, kind, name = '', id = ''] =
      /^\/(base|image)\/(manifests|blobs)\/([^/]+)\/?([^/]*)$/.exec(at.path) ?? [];
    const reads = method === 'GET' || method === 'HEAD';
    if (alias === 'base' && kind === 'manifests' && reads) return this.#sendManifest(name, method, res);
    if (alias === 'base' && kind === 'blobs' && method === 'GET') return this.#sendLayer(name, res);
    // An engine looks for a base's layer before it asks for it to be mounted.
    if (alias === 'base' && kind === 'blobs' && method === 'HEAD')
      return sendHead(name, await this.#sources.find(name), res);
    const writer = this.#writer;
    if (alias === 'image' && writer) {
      if (kind === 'manifests' && method === 'PUT') return this.#putManifest(req, at, writer, res);
      if (kind === 'blobs' && name !== 'uploads' && method === 'HEAD')
        return sendHead(name, await this.#head(name, writer), res);
      if (kind === 'blobs' && method === 'POST') return this.#begin(at, writer, res);
      if (kind === 'blobs' && method === 'PATCH') return this.#append(req, id, at, writer, res);
      if (kind === 'blobs' && method === 'PUT') return this.#finish(req, id, at, writer, res);
    }
    unknown(res, 'NAME_UNKNOWN');
  }

  /** A base's layer is brought to the target from here: the engine need not send it. */
  async #head(digest: string, writer: GatewayWriter): Promise<{ size: number | undefined } | undefined> {
    const there = await writer.head(digest);
    if (there) return there;
    const held = await this.#sources.find(digest);
    if (held) await writer.bring(held, this.#sources);
    return held;
  }

  #sendManifest(digest: string, method: string, res: ServerResponse): void {
    const found = this.#sources.manifest(digest);
    if (!found) return unknown(res, 'MANIFEST_UNKNOWN');
    res.writeHead(200, {
      'content-type': found.mediaType,
      'content-length': found.bytes.length,
      'docker-content-digest': found.digest,
    });
    res.end(method === 'HEAD' ? undefined : found.bytes);
  }

  async #sendLayer(digest: string, res: ServerResponse): Promise<void> {
    // Another build may wait for it too: it ends with who asks, and not with this build.
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    const { body, length } = await this.#sources.open(digest, gone.signal);
    const known = length === undefined ? {} : { 'content-length': length };
    res.writeHead(200, { ...known, 'content-type': 'application/octet-stream' });
    await pipeline(body, res);
  }

  async #begin({ query, prefix }: RequestPlace, writer: GatewayWriter, res: ServerResponse): Promise<void> {
    const mount = query.get('mount');
    const held = mount === null ? undefined : await this.#sources.find(mount);
    if (held) {
      await writer.bring(held, this.#sources);
      return this.#created(held.digest, prefix, res);
    }
    const id = randomUUID();
    this.#uploads.set(id, await writer.begin());
    const location = `${prefix}/image/blobs/uploads/${id}`;
    res.writeHead(202, { location, 'docker-upload-uuid': id, range: '0-0' }).end();
  }

  #created(digest: string, prefix: string, res: ServerResponse): void {
    res.writeHead(201, { location: `${prefix}/image/blobs/${digest}`, 'docker-content-digest': digest }).end();
  }

  async #append(
    req: IncomingMessage,
    id: string,
    { prefix }: RequestPlace,
    writer: GatewayWriter,
    res: ServerResponse,
  ): Promise<void> {
    const location = this.#uploads.get(id);
    if (location === undefined) return unknown(res, 'BLOB_UPLOAD_UNKNOWN');
    const { headers } = await writer.append(location, this.#bytesOf(req));
    this.#uploads.set(id, headerOf(headers['location']) ?? location);
    const range = headerOf(headers['range']);
    const more = { 'docker-upload-uuid': id, ...(range ? { range } : {}) };
    res.writeHead(202, { location: `${prefix}/image/blobs/uploads/${id}`, ...more }).end();
  }

  async #finish(
    req: IncomingMessage,
    id: string,
    { query, prefix }: RequestPlace,
    writer: GatewayWriter,
    res: ServerResponse,
  ): Promise<void> {
    const location = this.#uploads.get(id);
    if (location === undefined) return unknown(res, 'BLOB_UPLOAD_UNKNOWN');
    const digest = query.get('digest') ?? '';
    await writer.finish(location, digest, this.#bytesOf(req));
    this.#uploads.delete(id);
    this.#created(digest, prefix, res);
  }

  /** What the engine sends, counted as it passes. */
  #bytesOf(req: IncomingMessage) {
    const { onBytes } = this.#options;
    const { 'content-length': length, 'content-range': range } = req.headers;
    async function* chunks(): AsyncGenerator<Buffer> {
      try {
        for await (const chunk of req as AsyncIterable<Buffer>) {
          onBytes?.(chunk.length);
          yield chunk;
        }
      } catch {
        throw new EngineGone('the engine broke off an upload');
      }
    }
    const body = Readable.from(chunks(), { objectMode: false });
    body.on('error', () => undefined);
    return {
      body,
      length: length === undefined ? undefined : Number(length),
      ...(range ? { headers: { 'content-range': range } } : {}),
    };
  }

  async #putManifest(
    req: IncomingMessage,
    { prefix }: RequestPlace,
    writer: GatewayWriter,
    res: ServerResponse,
  ): Promise<void> {
    const bytes = await readAtMost(
      req,
      manifestBytesMax,
      () => new Fault('PushFailed', `the image's manifest has more than ${manifestBytesMax} bytes`),
    );
    const digest = sha256Digest(bytes);
    const mediaType = req.headers['content-type'] ?? 'application/vnd.oci.image.manifest.v1+json';
    await writer.putManifest({ bytes, digest, mediaType });
    this.pushed = digest;
    res.writeHead(201, { location: `${prefix}/image/manifests/${digest}`, 'docker-content-digest': digest }).end();
  }
}
