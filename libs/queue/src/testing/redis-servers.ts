import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Redis servers of one test, on loopback, that it may kill. */
export function openRedisServers(name: string) {
  const dir = mkdtempSync(join(tmpdir(), `kiln-${name}-`));
  const started = new Map<string, ChildProcess>();
  return {
    freePort: (): Promise<number> =>
      new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
          const { port } = server.address() as AddressInfo;
          server.close(() => resolve(port));
        });
      }),
    /** @param lines of its configuration */
    start: (server: string, lines: string[], ...more: string[]): void => {
      const file = join(dir, `${server}.conf`);
      writeFileSync(file, [`dir "${dir}"`, 'bind 127.0.0.1', 'daemonize no', ...lines, ''].join('\n'));
      started.set(server, spawn('redis-server', [file, ...more], { stdio: 'ignore' }));
    },
    kill: (server: string): void => void started.get(server)?.kill('SIGKILL'),
    close(): void {
      for (const it of started.values()) it.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
