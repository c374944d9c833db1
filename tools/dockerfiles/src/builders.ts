import { rm } from 'node:fs/promises';
import { Fault, parseDockerfile } from '@kiln/domain';
import { openBuildkit, readEngineRoot } from '@kiln/engine';
import { Secret } from '@kiln/kit';
import { openAddressRules, openGateway, openRegistryClients } from '@kiln/registry';
import { openBuildx } from '@kiln/stack/testing';
import { openBaseImages } from '@kiln/usecases';
import type { Case } from './cases.ts';

/** Builds a Dockerfile and pushes its image. */
export interface Builder {
  /** Resolves with the words of the error when it cannot be built. */
  build(given: Case, repository: string, tag: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Kiln's engine, as its builder uses it. */
export async function openKiln(host: string, engineRoot: string, dir: string): Promise<Builder> {
  const access = { host, tlsMode: 'http' as const };
  const registries = openRegistryClients(openAddressRules(['127.0.0.0/8']));
  const engine = openBuildkit({
    storeDir: dir,
    engine: readEngineRoot(engineRoot),
    runtime: 'runc',
    ways: [],
    warmMax: 2,
    idleMs: 600_000,
    warmBytesMax: 2 ** 30,
    limits: { memoryBytes: 4 * 2 ** 30, pids: 4096 },
    cacheBytes: 2 * 2 ** 30,
    workBytes: 4 * 2 ** 30,
    storeBytes: 8 * 2 ** 30,
  });
  await engine.reap();
  return {
    async build({ dockerfile, buildArgs, secrets, target }, repository, tag) {
      const { signal } = new AbortController();
      try {
        const parsed = parseDockerfile(dockerfile, { target });
        const bases = await openBaseImages(registries).find(parsed, [access]);
        const gateway = openGateway(registries, { sources: bases, signal });
        const image = await engine.build({
          id: tag,
          owner: 'conformance',
          dockerfile,
          parsed,
          bases,
          buildArgs,
          secrets: Object.entries(secrets).map(([id, value]) => ({ id, value: new Secret(value) })),
          ...(target === undefined ? {} : { target }),
          limits: { memoryBytes: 1 << 30, cpuMillis: 2000, pids: 512, diskBytes: 2 * 2 ** 30, seconds: 120 },
          network: 'none',
          layerCache: true,
          compression: { type: 'gzip' as const },
          registry: gateway,
          onLine: () => Promise.resolve(),
          signal,
        });
        gateway.writeTo({ access, repository });
        const digest = await image.push();
        await image.discard();
        const client = registries.for(access);
        const manifest = await client.getManifest(repository, digest);
        if (!manifest) throw new Error(`${repository} has no ${digest}, which was pushed there`);
        await client.putManifest(repository, tag, manifest);
        return undefined;
      } catch (error) {
        if (error instanceof Fault) return `${error.code}: ${error.message}`;
        throw error;
      }
    },
    async close() {
      await engine.close();
      await registries.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Docker's own command and daemon. */
export async function openDocker(host: string, dockerRoot: string, dir: string): Promise<Builder> {
  const buildx = await openBuildx(dockerRoot, dir, host);
  return {
    async build({ dockerfile, buildArgs, secrets, target }, repository, tag) {
      const options = [
        ...Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
        ...Object.keys(secrets).flatMap((id) => ['--secret', `id=${id},env=SECRET_${id}`]),
        ...(target === undefined ? [] : ['--target', target]),
      ];
      const env = Object.fromEntries(Object.entries(secrets).map(([id, value]) => [`SECRET_${id}`, value]));
      // The frontend that is built in, as nothing else can be reached here.
      const text = dockerfile.replace(/^# syntax=.*\n/, '');
      const build = async (tries: number): Promise<string | undefined> => {
        try {
          await buildx.build(tag, text, `${host}/${repository}:${tag}`, { options, env });
          return undefined;
        } catch (error) {
          const words = error instanceof Error ? error.message : String(error);
          // docker-registry writes in place: who reads what is being written again is answered 500.
          return tries > 1 && /unexpected HTTP status: 5\d\d/.test(words) ? build(tries - 1) : words;
        }
      };
      return build(3);
    },
    async close() {
      await buildx.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
