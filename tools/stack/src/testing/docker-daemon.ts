import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from '../processes.ts';

export interface DockerDaemon {
  /** What Docker's commands find it by. */
  env: { DOCKER_HOST: string; DOCKER_CONFIG: string };
  stop(): Promise<void>;
}

/** Docker's commands, in a root made of its packages; they run outside it, too. */
export const dockerPlugin = (root: string, name: 'buildx' | 'compose'): string =>
  join(root, 'usr/libexec/docker/cli-plugins', `docker-${name}`);

// The root has to be a mount, or runc cannot mount below it.
const enter = `
set -e
mount --bind "$1" "$1"
cd "$1"
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p "./$2"
mount --bind "$2" "./$2"
pivot_root . .
shift 2
umount -l .
cd /
exec "$@"
`;

/**
 * Starts Docker's daemon as it is, in a root made of its packages and in the network of this machine; it and all that
 * it starts end with this process.
 * @param dir folder for what it keeps, which it sees under the same name
 */
export async function startDockerDaemon(root: string, dir: string, settings: object): Promise<DockerDaemon> {
  await mkdir(join(dir, 'logs'), { recursive: true });
  const socket = join(dir, 'docker.sock');
  await rm(socket, { force: true });
  const own = {
    'data-root': join(dir, 'data'),
    'exec-root': '/run/docker-exec',
    pidfile: '/run/docker.pid',
    hosts: [`unix://${socket}`],
  };
  const file = join(dir, 'daemon.json');
  await writeFile(file, JSON.stringify({ ...own, ...settings }));
  const daemon = startProcess(dir, 'dockerd', [
    'setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc',
    'sh', '-c', enter, 'enter', root, dir, 'dockerd', '--config-file', file,
  ]); // prettier-ignore
  await daemon.logged('API listen on');
  return {
    env: { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(dir, 'config') },
    stop: () => daemon.stop(),
  };
}
