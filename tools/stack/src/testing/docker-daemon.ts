import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from '../processes.ts';
import { childOf } from './host.ts';

export interface DockerDaemon {
  /** What Docker's commands find it and their plug-ins by. */
  env: { DOCKER_HOST: string; DOCKER_CONFIG: string; PATH: string };
  /** Id of its process, whose network others may enter. */
  pid: number;
  stop(): Promise<void>;
}

// The root has to be a mount, or runc cannot mount below it.
const enter = `
set -e
network=$1
shift
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
if [ "$network" = own ]; then
  touch /run/network
  unshare --net=/run/network ip link set lo up
  slirp4netns --configure --mtu=65520 --disable-host-loopback --netns-type=path /run/network tap0 > /run/slirp.log 2>&1 &
  exec nsenter --net=/run/network "$@"
fi
exec "$@"
`;

/**
 * Starts Docker's daemon as it is, in a root made of its packages; it and all that it starts end with this process.
 * @param dir folder for what it keeps, which it sees under the same name
 * @param network this machine's, or one of its own, from which the outside can be reached, with firewall rules of its own
 */
export async function startDockerDaemon(
  root: string,
  dir: string,
  settings: object,
  network: 'host' | 'own' = 'host',
): Promise<DockerDaemon> {
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
    'sh', '-c', enter, 'enter', network, root, dir, 'dockerd', '--config-file', file,
  ]); // prettier-ignore
  await daemon.logged('API listen on');
  const config = join(dir, 'config');
  await mkdir(config, { recursive: true });
  const plugins = join(config, 'cli-plugins');
  await rm(plugins, { force: true });
  await symlink(join(root, 'usr/libexec/docker/cli-plugins'), plugins);
  return {
    env: {
      DOCKER_HOST: `unix://${socket}`,
      DOCKER_CONFIG: config,
      PATH: `${process.env['PATH'] ?? ''}:${join(root, 'usr/bin')}`,
    },
    pid: childOf(daemon.pid, 'dockerd'),
    stop: () => daemon.stop(),
  };
}
