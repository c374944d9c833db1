import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { program, runQuietly } from '@kiln/stack';
import { type BenchStack } from './bench-stack.ts';
import { alternate, median, ms, type Row } from './measure.ts';

// Other content each time, or the registry would have the layers already; 1 MB that does not compress.
const dockerfileOf = (base: string, payloadKb: number) =>
  `FROM ${base}\nRUN echo ${randomUUID()} > /id\nRUN dd if=/dev/urandom of=/payload bs=1024 count=${payloadKb}\n`;

/**
 * Submits builds together and waits until each is ACTIVE.
 * @returns milliseconds from the first submission to the last image being ACTIVE, by the build's own record: the
 * followers look four times a second, as clients may, and looking more often would be load of its own
 */
async function withKiln(
  { client, account, registryHost }: BenchStack,
  base: string,
  together: number,
  payloadKb: number,
): Promise<number> {
  const started = Date.now();
  const submit = async (): Promise<number> => {
    const name = `bench-${randomUUID().slice(0, 8)}`;
    const answer = await client.pai('POST', '/api/v1/imagebuilds', {
      body: {
        WorkspaceId: account.workspaceId,
        Resource: {},
        TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
        BuildConfig: { Dockerfile: dockerfileOf(base, payloadKb), BuildType: 'CustomDockerfile' },
        Image: { Name: name, Uri: `${registryHost}/bench/${name}:v1` },
      },
    });
    const { ImageBuildId, ImageBuildJobId } = answer.body as { ImageBuildId: string; ImageBuildJobId: string };
    for (;;) {
      await sleep(250);
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
    return Date.parse(GmtFinishTime) - started;
  };
  return Math.max(...(await Promise.all(Array.from({ length: together }, submit))));
}

/**
 * The engine's own command line: the same build with the same flags, and a push to a tag.
 * @returns milliseconds until the last push has ended
 */
async function withBuildah(stack: BenchStack, base: string, together: number, payloadKb: number): Promise<number> {
  const { dir, registryHost } = stack;
  const store = ['--root', join(dir, 'cli/root'), '--runroot', join(dir, 'cli/run'), '--storage-driver', 'overlay'];
  const buildah = (args: string[]) =>
    runQuietly(['unshare', '--mount', '--propagation', 'private', program('buildah'), ...store, ...args]);
  const one = async (): Promise<string> => {
    const id = randomUUID().slice(0, 8);
    const work = join(dir, 'cli', id);
    mkdirSync(join(work, 'context'), { recursive: true });
    writeFileSync(join(work, 'Dockerfile'), dockerfileOf(base, payloadKb));
    const flags = ['--pull-always', '--isolation', 'oci', '--runtime', 'runc', '--network', 'host', '--layers=false'];
    const files = ['-t', `localhost/${id}`, '-f', join(work, 'Dockerfile'), join(work, 'context')];
    await buildah(['bud', '--tls-verify=false', ...flags, ...files]);
    await buildah(['push', '--tls-verify=false', `localhost/${id}`, `docker://${registryHost}/bench/cli-${id}:v1`]);
    return id;
  };
  const started = performance.now();
  const ids = await Promise.all(Array.from({ length: together }, one));
  const took = performance.now() - started;
  for (const id of ids) await buildah(['rmi', `localhost/${id}`]);
  return took;
}

const row = (what: string, taken: { ours: number[]; theirs: number[] }, aim: number): Row => ({
  what,
  ours: ms(median(taken.ours)),
  other: `buildah bud, push: ${ms(median(taken.theirs))}`,
  ratio: median(taken.ours) / median(taken.theirs),
  aim: `≤ ${aim.toFixed(2)}`,
});

export async function benchBuilds(stack: BenchStack, rounds: number): Promise<Row[]> {
  const compare = (base: string, together: number, payloadKb: number) =>
    alternate(
      rounds,
      () => withKiln(stack, base, together, payloadKb),
      () => withBuildah(stack, base, together, payloadKb),
    );
  return [
    row('(a) two steps on a tiny base, one build', await compare(stack.tiny, 1, 1), 1.25),
    row('(a) the same, four at once', await compare(stack.tiny, 4, 1), 1.25),
    row('(b) 1 MB added to a 200 MB base, one build', await compare(stack.big, 1, 1024), 1.1),
  ];
}
