import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, appRoles } from '@kiln/persistence';
import { appPassword } from '../app-logins.ts';
import { program } from '../parts.ts';
import { freePort, type Managed, startProcess } from '../processes.ts';
import { accepts, unprivileged, waitFor } from '../servers.ts';

export interface Pooler {
  /** Address of the owner's database by the pooler. */
  url: string;
  server: Managed;
  /** Starts it again, where it was. */
  restart(): Promise<void>;
}

/**
 * Starts PgBouncer before a database, with a few sessions that transactions share.
 * @param databaseUrl as its owner signs in
 */
export async function startPooler(dir: string, databaseUrl: string, sessions: number): Promise<Pooler> {
  const at = new URL(databaseUrl);
  const password = decodeURIComponent(at.password);
  const port = await freePort();
  const folder = join(dir, 'pooler');
  const { prefix, own } = unprivileged();
  mkdirSync(folder, { recursive: true });
  const users = [
    [at.username, password],
    ...Object.entries(appRoles).map(([app, role]) => [role, appPassword(password, app as App)]),
  ];
  const files = {
    'users.txt': users.map((it) => it.map((word) => `"${word}"`).join(' ')),
    'pgbouncer.ini': [
      '[databases]',
      `* = host=${at.hostname} port=${at.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${join(folder, 'users.txt')}`,
      'pool_mode = transaction',
      `default_pool_size = ${sessions}`,
      'max_client_conn = 200',
    ],
  };
  for (const [name, lines] of Object.entries(files)) {
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`, { mode: 0o600 });
    own(join(folder, name));
  }
  const start = async () => {
    const server = startProcess(dir, 'pooler', [...prefix, program('pgbouncer'), join(folder, 'pgbouncer.ini')]);
    await waitFor(server, () => accepts(port));
    return server;
  };
  at.port = String(port);
  const pooler = {
    url: at.href,
    server: await start(),
    async restart() {
      pooler.server = await start();
    },
  };
  return pooler;
}
