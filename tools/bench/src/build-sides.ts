import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureClientsRoot, program, type ProvisionedAccount, runQuietly } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import { openBuildx } from '@kiln/stack/testing';
import type { BenchStack } from './bench-stack.ts';
import { timed } from './measure.ts';

/** One way to make an image of a Dockerfile and to publish it; tells how many milliseconds it took. */
export type Side = (dockerfile: string) => Promise<number>;

/**
 * From the submission to the image being ACTIVE, by the build's own record: the follower looks a few times a second, as
 * clients may, and looking more often would be load of its own.
 */
export function kilnSide(
  { url, registryHost }: Pick<BenchStack, 'url' | 'registryHost'>,
  account: ProvisionedAccount,
  lookMs = 150,
): Side {
  const client = openSignedClient(url, account);
  return async (dockerfile) => {
    const startedAt = Date.now();
    const name = `bench-${randomUUID().slice(0, 8)}`;
    const answer = await client.pai('POST', '/api/v1/imagebuilds', {
      body: {
        WorkspaceId: account.workspaceId,
        Resource: {},
        TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
        BuildConfig: { Dockerfile: dockerfile, BuildType: 'CustomDockerfile' },
        Image: { Name: name, Uri: `${registryHost}/bench/${name}:v1` },
      },
    });
    const { ImageBuildId, ImageBuildJobId } = answer.body as { ImageBuildId?: string; ImageBuildJobId?: string };
    if (ImageBuildId === undefined || ImageBuildJobId === undefined) throw new Error(answer.text);
    for (;;) {
      await sleep(lookMs);
      const { Status, ReasonMessage } = (await client.pai('GET', `/api/v1/jobs/${ImageBuildJobId}`)).body as {
        Status: string;
        ReasonMessage: string;
      };
      if (Status === 'Failed') throw new Error(ReasonMessage);
      if (Status === 'Succeeded') break;
    }
    const { GmtFinishTime } = (await client.pai('GET', `/api/v1/imagebuilds/${ImageBuildId}`)).body as {
      GmtFinishTime: string;
    };
    return Date.parse(GmtFinishTime) - startedAt;
  };
}

/** Docker's own BuildKit, as it is on a machine: the command `docker buildx build --push`. */
export async function openBuildxSide({
  dir,
  registryHost,
}: BenchStack): Promise<{ side: Side; stop(): Promise<void> }> {
  const dockerRoot = await ensureClientsRoot();
  const buildx = await openBuildx(dockerRoot, join(dir, 'docker'), registryHost);
  const build = (dockerfile: string): Promise<void> => {
    const id = randomUUID().slice(0, 8);
    return buildx.build(id, dockerfile, `${registryHost}/bench/buildx-${id}:v1`);
  };
  return { side: (dockerfile) => timed(() => build(dockerfile)), stop: () => buildx.stop() };
}

/** Debian's buildah without a jail: `buildah bud`, `buildah push`. */
export function buildahSide({ dir, registryHost }: BenchStack): Side {
  const store = ['--root', join(dir, 'cli/root'), '--runroot', join(dir, 'cli/run'), '--storage-driver', 'overlay'];
  const buildah = (args: string[]) =>
    runQuietly(['unshare', '--mount', '--propagation', 'private', program('buildah'), ...store, ...args]);
  const build = async (dockerfile: string): Promise<void> => {
    const id = randomUUID().slice(0, 8);
    const work = join(dir, 'cli', id);
    await mkdir(join(work, 'context'), { recursive: true });
    await writeFile(join(work, 'Dockerfile'), dockerfile);
    const flags = ['--pull-always', '--isolation', 'oci', '--runtime', 'runc', '--network', 'host', '--layers=false'];
    const files = ['-t', `localhost/${id}`, '-f', join(work, 'Dockerfile'), join(work, 'context')];
    await buildah(['bud', '--tls-verify=false', ...flags, ...files]);
    await buildah(['push', '--tls-verify=false', `localhost/${id}`, `docker://${registryHost}/bench/cli-${id}:v1`]);
  };
  return (dockerfile) => timed(() => build(dockerfile));
}
