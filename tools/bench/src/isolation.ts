import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Engine, openBuildah, openLauncher } from '@kiln/engine';
import { parseDockerfile } from '@kiln/domain';
import { openAddressRules, openRegistryClients } from '@kiln/registry';
import { fetchBases, openBaseImages } from '@kiln/usecases';
import { program, runQuietly } from '@kiln/stack';
import { type BenchStack } from './bench-stack.ts';
import { alternate, median, ms, type Row, timed } from './measure.ts';

const dockerfileOf = (base: string) => `FROM ${base}\nRUN echo ${randomUUID()} > /id\nRUN true\n`;

/** One build in its jail, by the engine as the builder uses it: with a network and all limits. */
async function inJail(engine: Engine, stack: BenchStack, folder: string): Promise<number> {
  const registries = openRegistryClients(openAddressRules([stack.registryHost]));
  const dockerfile = dockerfileOf(stack.tiny);
  const parsed = parseDockerfile(dockerfile);
  const id = `bench-${randomUUID().slice(0, 8)}`;
  const call = {
    workDir: join(folder, id),
    onLine: () => Promise.resolve(),
    signal: new AbortController().signal,
  };
  const bases = await openBaseImages(registries).find(parsed, [{ host: stack.registryHost, tlsMode: 'http' }]);
  await fetchBases(registries, engine, bases, call);
  const took = await timed(() =>
    engine.build({
      ...call,
      id,
      owner: 'bench',
      dockerfile,
      parsed,
      bases,
      limits: { memoryBytes: 2 ** 30, cpuMillis: 2000, pids: 1024, diskBytes: 20 * 2 ** 30, seconds: 600 },
      network: { resolvers: [], allow: [], deny: ['10.0.0.0/8', '127.0.0.0/8'], only: [], connections: 1024, way: 0 },
      layerCache: false,
    }),
  );
  await engine.discard({ id });
  await rm(call.workDir, { recursive: true, force: true });
  await registries.close();
  return took;
}

/** The same build by the engine alone, as root in the host's network, with the base in its store. */
async function alone(stack: BenchStack, folder: string): Promise<number> {
  const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'overlay'];
  const buildah = (args: string[]) =>
    runQuietly(['unshare', '--mount', '--propagation', 'private', program('buildah'), ...store, ...args]);
  const id = randomUUID().slice(0, 8);
  const work = join(folder, id);
  mkdirSync(join(work, 'context'), { recursive: true });
  writeFileSync(join(work, 'Dockerfile'), dockerfileOf(stack.tiny));
  await buildah(['pull', '--quiet', '--policy', 'missing', '--tls-verify=false', stack.tiny]);
  const flags = ['--pull-never', '--isolation', 'oci', '--runtime', 'runc', '--network', 'host', '--layers=false'];
  const took = await timed(() =>
    buildah(['bud', ...flags, '-t', `localhost/${id}`, '-f', join(work, 'Dockerfile'), join(work, 'context')]),
  );
  await buildah(['rmi', `localhost/${id}`]);
  await rm(work, { recursive: true, force: true });
  return took;
}

/** What the walls around one build cost. */
export async function benchIsolation(stack: BenchStack, rounds: number): Promise<Row[]> {
  const storeDir = join(stack.dir, 'isolation');
  const jail = openLauncher({ storeDir });
  const engine = openBuildah({ storeDir, jail, layerCacheBytes: 0, baseBytesMax: 2 ** 30 });
  await engine.check();
  const taken = await alternate(
    rounds,
    () => inJail(engine, stack, join(stack.dir, 'isolation-work')),
    () => alone(stack, join(stack.dir, 'isolation-alone')),
  );
  const added = median(taken.ours) - median(taken.theirs);
  return [
    {
      what: '(f) two steps on a tiny base in a jail',
      ours: ms(median(taken.ours)),
      other: `the engine alone: ${ms(median(taken.theirs))}, so ${added < 0 ? '' : '+'}${ms(added)}`,
      ratio: median(taken.ours) / median(taken.theirs),
      aim: '≤ +250 ms',
    },
  ];
}
