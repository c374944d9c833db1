import { get } from 'node:http';
import { get as getTls } from 'node:https';
import { json } from 'node:stream/consumers';
import type { Connection, DaemonAddress } from './connection.ts';

/** What a daemon calls its version, before anybody's steps have run in it. BuildKit in Docker's does not know. */
export async function daemonVersion(connection: Connection, { daemon, at, tls }: DaemonAddress): Promise<string> {
  if (daemon === 'buildkitd') return (await connection.info()).version.replace(/^v/, '');
  const place = 'socket' in at ? { socketPath: at.socket } : at;
  return new Promise((resolve, reject) => {
    (tls ? getTls : get)({ ...place, ...tls, path: '/version' }, (answer) => {
      json(answer).then((it) => resolve((it as { Version: string }).Version), reject);
    }).on('error', reject);
  });
}
