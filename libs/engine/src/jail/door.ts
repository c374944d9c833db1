import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server } from 'node:net';

/** What one build's engine sees of registries. */
export interface RegistryHandler {
  /** Whether a digest is an image that the build starts from, or a part of one. */
  has: (digest: string) => boolean;
  /** Answers a request: `path` is `/base/…`, `/image/…` or `/git/…`, and links begin with `prefix`. */
  answer: (
    req: IncomingMessage,
    res: ServerResponse,
    at: { path: string; query: URLSearchParams; prefix: string },
  ) => void;
}

/**
 * A room's only way to registries. Images that builds start from have one name for all of them, since their daemon
 * fetches for several at once what they have in common; any build that has one answers for it. Each build writes its
 * image below a path of its own.
 */
export interface Door {
  /** For the daemon alone. */
  readonly password: string;
  /** From now on, a build's requests are answered, until it is closed. */
  open(build: string, handler: RegistryHandler): { close(): void };
  close(): Promise<void>;
}

/** Enough for the builds of a room; steps see the port too, and may try to use all that there are. */
const connectionsMax = 512;
/** One that asks for nothing is not kept for others to wait for. */
const headersMs = 10_000;

function isRight(req: IncomingMessage, password: string): boolean {
  const [, encoded = ''] = /^Basic ([A-Za-z0-9+/=]{1,400})$/.exec(req.headers.authorization ?? '') ?? [];
  const given = Buffer.from(encoded, 'base64');
  const wanted = Buffer.from(`kiln:${password}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/**
 * @param listener where the daemon's requests come in
 * @param tls certificate and key, where the daemon is asked to speak TLS
 */
export function openDoor(listener: Server, tls?: { cert: string; key: string }): Door {
  const password = randomBytes(24).toString('base64url');
  const builds = new Map<string, RegistryHandler>();
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    // Whoever asks may go in the middle: that ends the request, and not the process.
    for (const it of [req, res]) it.on('error', () => undefined);
    // Nobody learns without the password which builds there are.
    if (!isRight(req, password)) {
      res.writeHead(401, { 'www-authenticate': 'Basic realm="kiln"', connection: 'close' });
      return void res.end('{"errors":[{"code":"UNAUTHORIZED"}]}');
    }
    const url = URL.parse(req.url ?? '/', 'http://gateway');
    const query = url?.searchParams ?? new URLSearchParams();
    const [, first = '', path = ''] = /^\/v2\/([^/]+)(\/.*)$/.exec(url?.pathname ?? '') ?? [];
    const digest = path.split('/').at(-1) ?? '';
    const isBase = first === 'base';
    const handler = isBase ? [...builds.values()].find((it) => it.has(digest)) : builds.get(first);
    if (!handler || (!isBase && !/^\/(?:image|git)\//.test(path)))
      return void res.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
    handler.answer(
      req,
      res,
      isBase ? { path: `/base${path}`, query, prefix: '/v2' } : { path, query, prefix: `/v2/${first}` },
    );
  };
  // A layer takes as long as it takes; the build has a clock of its own.
  const settings = { requestTimeout: 0, headersTimeout: headersMs };
  const server = tls
    ? createTlsServer({ ...settings, ...tls, handshakeTimeout: headersMs }, answer)
    : createServer(settings, answer);
  server.maxConnections = connectionsMax;
  server.listen(listener);
  return {
    password,
    open(build, handler) {
      builds.set(build, handler);
      return { close: () => void builds.delete(build) };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      listener.close();
    },
  };
}
