import { openBuildah, openLauncher, stagingTag } from '@kiln/engine';
import { parseDockerfile } from '@kiln/domain';
import { engineContract, type EngineLinks } from '@kiln/engine/testing';
import { testStack } from '@kiln/kit/testing';
import { openAddressRules, openRegistryClients, withGateway } from '@kiln/registry';
import { fetchBases, openBaseImages } from '@kiln/usecases';

const registry = { host: testStack().registryHost, tlsMode: 'http' as const };
const registries = openRegistryClients(openAddressRules(['127.0.0.0/8']));
afterAll(() => registries.close());

/** As the builder does it: through a gateway. */
const links: EngineLinks = {
  async fetch(engine, dockerfile, call) {
    const found = await openBaseImages(registries).find(parseDockerfile(dockerfile, { hasContext: true }), [registry]);
    await fetchBases(registries, engine, found, call);
    return found;
  },
  push: (engine, image, repository, call) => {
    const target = { access: registry, repository, tag: stagingTag };
    return withGateway(registries, { sources: [], target, signal: call.signal }, async (gateway) => {
      await engine.push(image, { ...call, gateway: gateway.socket });
      return gateway.pushed ?? '';
    });
  },
};

engineContract(
  'buildah',
  (storeDir) =>
    openBuildah({ storeDir, jail: openLauncher({ storeDir }), layerCacheBytes: 1 << 30, baseBytesMax: 1 << 30 }),
  links,
);
