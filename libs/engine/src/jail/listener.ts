import { spawn } from 'node:child_process';
import type { Server } from 'node:net';
import { hostEnvironment } from './command.ts';

/** Where a room finds the gateway to registries. */
export const gatewayPort = 5000;
export const gatewayHost = `127.0.0.1:${gatewayPort}`;

// Makes the socket where the network is the room's, and hands it to this process, which alone answers on it.
const program = `const server = require('node:net').createServer();
server.listen(${gatewayPort}, '127.0.0.1', () => process.send('listening', server, () => process.exit()));`;

/**
 * Listens on loopback in the network of another process.
 * @param enter command that runs what follows it in that network
 * @returns a server that nobody answers yet
 */
export function listenInside(enter: readonly string[]): Promise<Server> {
  const [file = '', ...args] = enter;
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args, process.execPath, '-e', program], {
      env: hostEnvironment,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-1000)));
    child.on('message', (_message, server) => resolve(server as Server));
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`cannot listen in the room (${code ?? 'killed'}): ${said.trim()}`)));
  });
}
