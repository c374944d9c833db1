import { get } from 'node:http';
import { json } from 'node:stream/consumers';
import { type EngineRoot } from '../jail/engine-root.ts';
import { type WarmRoom } from './rooms.ts';

/** What a daemon calls its version, before anybody's steps have run in its room. BuildKit in Docker's does not know. */
export async function daemonVersion({ room, connection }: WarmRoom, daemon: EngineRoot['daemon']): Promise<string> {
  if (daemon === 'buildkitd') return (await connection.info()).version.replace(/^v/, '');
  return new Promise((resolve, reject) => {
    get({ socketPath: room.socket, path: '/version' }, (answer) => {
      json(answer).then((it) => resolve((it as { Version: string }).Version), reject);
    }).on('error', reject);
  });
}
