import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDockerfile } from '@kiln/domain';
import { openBuildkit, readEngineRoot } from '@kiln/engine';
import { engineContract } from '@kiln/engine/testing';
import { testStack } from '@kiln/kit/testing';
import { openAddressRules, openGateway, openRegistryClients } from '@kiln/registry';
import { openBaseImages } from '@kiln/usecases';

const { registryHost, engineRoot } = testStack();
const access = { host: registryHost, tlsMode: 'http' as const };
const registries = openRegistryClients(openAddressRules(['127.0.0.0/8']));
// It may lie in somebody's home, where nobody else may pass.
const home = mkdtempSync(join(tmpdir(), 'kiln-home-'));
const engineInHome = join(home, 'engine');
mkdirSync(engineInHome);
execFileSync('mount', ['--bind', process.env['KILN_ENGINE_ROOT'] ?? engineRoot, engineInHome]);
afterAll(async () => {
  execFileSync('umount', [engineInHome]);
  rmSync(home, { recursive: true });
  await registries.close();
});

engineContract(
  'BuildKit',
  (storeDir) =>
    openBuildkit({
      storeDir,
      engine: readEngineRoot(engineInHome),
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
