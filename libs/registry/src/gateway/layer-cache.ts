import { asFault } from '@kiln/domain';
import pLimit from 'p-limit';
import { type RegistryClients } from '../client/client.ts';
import { type RegistryAccess } from '../client/connection.ts';
import { manifestSchema, parseDocument } from '../client/manifests.ts';
import { type GatewaySource } from './options.ts';

/** Where a registry keeps layers of earlier builds for engines that have not built the like. */
export interface LayerCachePlace {
  access: RegistryAccess;
  repository: string;
  tag: string;
}

/** To ask for more than that would take longer than they save. */
const layersMax = 500;
const asksAtOnce = 8;

/**
 * Looks for the layers of earlier builds. A registry may have removed some of them, and a build that counts on those
 * fails: they are of use only while all are there.
 * @returns them, and how many they are; or why there are none, for people
 */
export async function findLayerCache(
  clients: RegistryClients,
  { access, repository, tag }: LayerCachePlace,
): Promise<{ source: GatewaySource; layers: number } | string> {
  try {
    const client = clients.for(access);
    const manifest = await client.getManifest(repository, tag);
    if (!manifest) return 'none was kept yet';
    const { config, layers } = parseDocument(manifestSchema, manifest.bytes, `manifest ${repository}:${tag}`);
    if (layers.length > layersMax) return `${layers.length} were kept, more than ${layersMax}`;
    const limit = pLimit(asksAtOnce);
    const held = await Promise.all(
      [config, ...layers].map(({ digest }) => limit(() => client.headBlob(repository, digest))),
    );
    const missing = held.filter((it) => it === undefined).length;
    if (missing > 0) return `the registry does not hold ${missing} of ${layers.length} any more`;
    return { source: { access, repository, manifest }, layers: layers.length };
  } catch (error) {
    return asFault(error).message;
  }
}
