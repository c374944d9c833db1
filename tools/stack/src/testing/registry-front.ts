import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a registry does to those who ask it. */
export type RegistryMood =
  | { kind: 'well' }
  /** Answers with this status. */
  | { kind: 'status'; status: number; retryAfter?: string }
  /** Waits before each answer. */
  | { kind: 'slow'; ms: number }
  /** Breaks the connection after so many bytes of each answer. */
  | { kind: 'cut'; afterBytes: number }
  /** Gives other bytes than were asked for. */
  | { kind: 'lying' }
  /** Takes requests and says nothing, until its mood changes: then their connections break. */
  | { kind: 'silent' }
  /** Sends the head and so many bytes, and then nothing more. */
  | { kind: 'stall'; afterBytes: number }
  /** Says that there are so many bytes more than there are, or fewer. */
  | { kind: 'length'; by: number }
  /** Resets the connection. */
  | { kind: 'reset' };

type Fits = (method: string, path: string) => boolean;

export interface RegistryFront {
  host: string;
  /** The registry's mood, for requests whose method and path fit; for all when nothing is said. */
  set(mood: RegistryMood, only?: Fits): void;
  /**
   * A mood for the next requests that fit; it goes before the one that is set. @returns how many of them came so far
   */
  next(mood: RegistryMood, fits: Fits, times: number): () => number;
  close(): Promise<void>;
}

/**
 * Stands before a real registry, under one address for as long as the suite runs.
 * @param rewrite what path a request has at the registry
 */
export async function openRegistryFront(
  targetPort: number,
  rewrite: (path: string) => string = (path) => path,
): Promise<RegistryFront> {
  let mood: RegistryMood = { kind: 'well' };
  let only: Fits = () => true;
  const nexts: { mood: RegistryMood; fits: Fits; left: number; came: number }[] = [];
  const unanswered = new Set<ServerResponse>();

  const pass = (
    req: IncomingMessage,
    res: ServerResponse,
    change: (bytes: Buffer) => Buffer | undefined | 'stop' = (bytes) => bytes,
    lengthBy = 0,
  ): void => {
    const path = rewrite(req.url ?? '/');
    const onward = request(
      { host: '127.0.0.1', port: targetPort, method: req.method, path, headers: req.headers },
      (answer) => {
        const length = Number(answer.headers['content-length']);
        const changed = lengthBy !== 0 && length > 0 ? { 'content-length': Math.max(0, length + lengthBy) } : {};
        res.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...changed });
        // As it comes: what is longer than it says is the point.
        res.strictContentLength = false;
        let stopped = false;
        answer.on('data', (bytes: Buffer) => {
          const sent = change(bytes);
          if (sent === 'stop') stopped = true;
          else if (sent) res.write(sent);
          else res.destroy();
        });
        answer.on('end', () => {
          if (stopped) unanswered.add(res);
          else if (lengthBy > 0) res.destroy();
          else res.end();
        });
        answer.on('error', () => res.destroy());
      },
    );
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  };
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    const [method, path] = [req.method ?? '', req.url ?? ''];
    const next = nexts.find((it) => it.left > 0 && it.fits(method, path));
    if (next) {
      next.left -= 1;
      next.came += 1;
    }
    const now = next?.mood ?? (only(method, path) ? mood : ({ kind: 'well' } as const));
    switch (now.kind) {
      case 'well':
        return pass(req, res);
      case 'status':
        req.resume();
        res.writeHead(now.status, now.retryAfter === undefined ? {} : { 'retry-after': now.retryAfter });
        return void res.end('{"errors":[{"code":"UNAVAILABLE","message":"the test says so"}]}');
      case 'slow':
        return void setTimeout(() => pass(req, res), now.ms);
      case 'cut': {
        let left = now.afterBytes;
        return pass(req, res, (bytes) => ((left -= bytes.length) < 0 ? undefined : bytes));
      }
      case 'lying':
        return pass(req, res, (bytes) => Buffer.from(bytes.map((it) => it ^ 1)));
      case 'silent':
        req.resume();
        return void unanswered.add(res);
      case 'stall': {
        let left = now.afterBytes;
        return pass(req, res, (bytes) => ((left -= bytes.length) < 0 ? 'stop' : bytes));
      }
      case 'length':
        return pass(req, res, undefined, now.by);
      case 'reset':
        return void req.socket.resetAndDestroy();
    }
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(next, fits = () => true) {
      mood = next;
      // Who hangs like this is restarted some time.
      for (const it of unanswered) it.destroy();
      unanswered.clear();
      only = fits;
    },
    next(mood, fits, times) {
      const it = { mood, fits, left: times, came: 0 };
      nexts.push(it);
      return () => it.came;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
