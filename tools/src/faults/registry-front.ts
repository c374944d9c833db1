import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';

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
  | { kind: 'silent' };

export interface RegistryFront {
  host: string;
  /** The registry's mood, for requests whose method and path fit; for all when nothing is said. */
  set(mood: RegistryMood, only?: (method: string, path: string) => boolean): void;
  close(): Promise<void>;
}

/** Stands before a real registry, under one address for as long as the suite runs. */
export async function openRegistryFront(targetPort: number): Promise<RegistryFront> {
  let mood: RegistryMood = { kind: 'well' };
  let only: (method: string, path: string) => boolean = () => true;
  const unanswered = new Set<ServerResponse>();

  const pass = (req: IncomingMessage, res: ServerResponse, change: (bytes: Buffer) => Buffer | undefined): void => {
    const onward = request(
      { host: '127.0.0.1', port: targetPort, method: req.method, path: req.url, headers: req.headers },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.on('data', (bytes: Buffer) => {
          const sent = change(bytes);
          if (sent) res.write(sent);
          else res.destroy();
        });
        answer.on('end', () => res.end());
        answer.on('error', () => res.destroy());
      },
    );
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  };
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    const now = only(req.method ?? '', req.url ?? '') ? mood : ({ kind: 'well' } as const);
    switch (now.kind) {
      case 'well':
        return pass(req, res, (bytes) => bytes);
      case 'status':
        req.resume();
        res.writeHead(now.status, now.retryAfter === undefined ? {} : { 'retry-after': now.retryAfter });
        return void res.end('{"errors":[{"code":"UNAVAILABLE","message":"the test says so"}]}');
      case 'slow':
        return void setTimeout(() => pass(req, res, (bytes) => bytes), now.ms);
      case 'cut': {
        let left = now.afterBytes;
        return pass(req, res, (bytes) => ((left -= bytes.length) < 0 ? undefined : bytes));
      }
      case 'lying':
        return pass(req, res, (bytes) => Buffer.from(bytes.map((it) => it ^ 1)));
      case 'silent':
        req.resume();
        return void unanswered.add(res);
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
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
