import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Servers of one test file, on loopback: each answers as its listener does, and keeps what it was asked. */
export function openServed() {
  const servers: Server[] = [];
  return {
    serve: async (answer: RequestListener): Promise<{ host: string; seen: IncomingMessage[] }> => {
      const seen: IncomingMessage[] = [];
      const server = createServer((req, res) => {
        seen.push(req);
        answer(req, res);
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
    },
    close: async (): Promise<void> => {
      for (const it of servers) it.closeAllConnections();
      await Promise.all(servers.map((it) => new Promise((resolve) => it.close(resolve))));
    },
  };
}
