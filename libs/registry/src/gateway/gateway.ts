import { AsyncResource } from 'node:async_hooks';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Fault } from '@kiln/domain';
import { type RegistryClients } from '../client/client.ts';
import { Exchange } from './exchange.ts';
import { type GatewayOptions } from './options.ts';

/**
 * What an engine in a jail sees of all registries: a small one on a socket, with the repositories `base` to read and
 * `image` to write. Credentials, addresses and limits stay on this side.
 */
export interface Gateway {
  socket: string;
  /** Digest of the manifest that was pushed. */
  readonly pushed: string | undefined;
  /** What went wrong on this side; what the engine says of it is vague. */
  readonly fault: Fault | undefined;
  close: () => Promise<void>;
}

async function openGateway(socket: string, clients: RegistryClients, options: GatewayOptions): Promise<Gateway> {
  const exchange = new Exchange(clients, options);
  // A layer takes as long as it takes; the command has a clock of its own.
  // What the engine asks for belongs to whatever its command was started for.
  const answer = AsyncResource.bind((req: IncomingMessage, res: ServerResponse) => void exchange.answer(req, res));
  const server = createServer({ requestTimeout: 0 }, answer);
  await listen(server, socket);
  return {
    socket,
    get pushed() {
      return exchange.pushed;
    },
    get fault() {
      return exchange.fault;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(socket, { force: true });
    },
  };
}

/** Runs `work` with a gateway whose socket is closed to all but this user and the jail that it is shown in. */
export async function withGateway<T>(
  clients: RegistryClients,
  options: GatewayOptions,
  work: (gateway: Gateway) => Promise<T>,
): Promise<T> {
  // Below the folder for temporary files: a socket's path has room for a hundred characters only.
  const folder = await mkdtemp(join(tmpdir(), 'kiln-'));
  const gateway = await openGateway(join(folder, 'gateway'), clients, options);
  try {
    return await work(gateway);
  } catch (error) {
    // The engine knows only that its registry did not do what it wanted.
    throw options.signal.aborted ? error : (gateway.fault ?? error);
  } finally {
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function listen(server: Server, socket: string): Promise<void> {
  await rm(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(socket, resolve);
  });
  // The engine comes as another user; the folder around it is closed to all others.
  await chmod(socket, 0o666);
}
