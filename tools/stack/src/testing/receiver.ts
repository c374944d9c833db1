import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that came in. */
export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string;
  afterMs?: number;
}

/** A server on loopback that keeps whatever is sent to it: what a webhook or a collector of traces is to others. */
export interface Receiver {
  /** `127.0.0.1:port` */
  host: string;
  /** Everything that came, in order. */
  received: Received[];
  close(): void;
}

/** @param answer what it says to a request, which is kept by then; 204 when left out */
export async function openReceiver(answer: (it: Received) => Reply = () => ({ status: 204 })): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((req, res) => {
    let text = '';
    req.on('data', (it: Buffer) => (text += it.toString()));
    req.on('end', () => {
      const it = { path: req.url ?? '', headers: req.headers, body: text };
      received.push(it);
      const { status, headers, body, afterMs = 0 } = answer(it);
      setTimeout(() => res.writeHead(status, headers).end(body), afterMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
