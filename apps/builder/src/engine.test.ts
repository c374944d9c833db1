import { parseDockerfile } from '@kiln/domain';
import { openBuildkit, readEngineRoot } from '@kiln/engine';
import { engineContract } from '@kiln/engine/testing';
import { testStack } from '@kiln/kit/testing';
import { openAddressRules, openGateway, openRegistryClients } from '@kiln/registry';
import { openBaseImages } from '@kiln/usecases';

const { registryHost, engineRoot } = testStack();
const access = { host: registryHost, tlsMode: 'http' as const };
const registries = openRegistryClients(openAddressRules(['127.0.0.0/8']));
afterAll(() => registries.close());

engineContract(
  'BuildKit',
  (storeDir) =>
    openBuildkit({
      storeDir,
      engine: readEngineRoot(process.env['KILN_ENGINE_ROOT'] ?? engineRoot),
      runtime: 'runc',
      ways: [],
      warmMax: 2,
      idleMs: 60_000,
      silentMs: 5000,
      warmBytesMax: 2 ** 30,
      limits: { memoryBytes: 4 * 2 ** 30, pids: 4096 },
      cacheBytes: 1 << 30,
      workBytes: 4 * 2 ** 30,
      storeBytes: 4 * 2 ** 30,
    }),
  // As the builder does it.
  async (dockerfile, signal) => {
    const bases = await openBaseImages(registries).find(parseDockerfile(dockerfile), [access]);
    const gateway = openGateway(registries, { sources: bases, signal });
    return {
      bases,
      gateway: { ...gateway, writeTo: (repository: string) => gateway.writeTo({ access, repository }) },
    };
  },
);
