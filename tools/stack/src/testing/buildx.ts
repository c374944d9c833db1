import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runQuietly } from '../parts.ts';
import { startDockerDaemon } from './docker-daemon.ts';

export interface Buildx {
  /**
   * Builds a Dockerfile without a context, and pushes the image.
   * @param name unique among the builds of this daemon
   * @param given more of the command's options, and variables that they name
   * @throws Error with the command's last words
   */
  build(
    name: string,
    dockerfile: string,
    target: string,
    given?: { options?: string[]; env?: Record<string, string> },
  ): Promise<void>;
  stop(): Promise<void>;
}

/** BuildKit as it is in Docker's daemon, driven by Docker's own command; steps have no network. */
export async function openBuildx(dockerRoot: string, dir: string, registryHost: string): Promise<Buildx> {
  const daemon = await startDockerDaemon(dockerRoot, dir, {
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    features: { 'containerd-snapshotter': true },
    'insecure-registries': [registryHost],
  });
  return {
    async build(name, dockerfile, target, { options = [], env = {} } = {}) {
      const context = join(dir, 'contexts', name);
      await mkdir(context, { recursive: true });
      await writeFile(join(context, 'Dockerfile'), dockerfile);
      const output = `type=image,name=${target},push=true,oci-mediatypes=true`;
      await runQuietly(
        [
          'docker', 'buildx', 'build', '--progress', 'plain', '--network', 'none', '--provenance=false',
          ...options, '--output', output, context,
        ],
        { env: { ...daemon.env, ...env } },
      ); // prettier-ignore
    },
    stop: () => daemon.stop(),
  };
}
