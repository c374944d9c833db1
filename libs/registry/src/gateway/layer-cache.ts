import { asFault } from '@kiln/domain';
import pLimit from 'p-limit';
import type { RegistryClients } from '../client/client.ts';
import type { RegistryAccess } from '../client/connection.ts';
import { manifestSchema, parseDocument } from '../client/manifests.ts';
import type { GatewaySource } from './options.ts';

/** Where a registry keeps layers of earlier builds for engines that have not built the like. */
export interface LayerCachePlace {
  access: RegistryAccess;
  repository: string;
  tag: string;
}

/** To ask for more than that would take longer than they save. */
const layersMax = 500;
const asksAtOnce = 8;
const looksMs = 5000;

export interface FoundLayers {
  source: GatewaySource;
  layers: number;
}

/** Why layers of earlier builds are of no use, and whether it would be the same if they were sent once more. */
export interface NoLayers {
  why: string;
  isKept: boolean;
}

/**
 * Looks for the layers of earlier builds. A registry may have removed some of them, and a build that counts on those
 * fails: they are of use only while all are there.
 */
export async function findLayerCache(
  clients: RegistryClients,
  { access, repository, tag }: LayerCachePlace,
  signal: AbortSignal,
): Promise<FoundLayers | NoLayers> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(looksMs)]);
  const limit = pLimit(asksAtOnce);
  const look = async (): Promise<FoundLayers | NoLayers> => {
    const client = clients.for(access);
    const manifest = await client.getManifest(repository, tag);
    if (!manifest) return { why: 'none was kept yet', isKept: false };
    const { config, layers } = parseDocument(manifestSchema, manifest.bytes, `manifest ${repository}:${tag}`);
    if (layers.length > layersMax) return { why: `${layers.length} were kept, more than ${layersMax}`, isKept: true };
    const digests = [...new Set([config, ...layers].map((it) => it.digest))];
    const held = await Promise.all(digests.map((it) => limit(() => client.headBlob(repository, it))));
    const missing = held.filter((it) => it === undefined).length;
    if (missing > 0)
      return { why: `the registry does not hold ${missing} of ${layers.length} any more`, isKept: false };
    return { source: { access, repository, manifest }, layers: layers.length };
  };
  const isLate = new Promise<NoLayers>((resolve) => {
    const why = `the registry has not answered within ${looksMs / 1000} s`;
    late.addEventListener('abort', () => resolve({ why, isKept: true }), { once: true });
  });
  try {
    return await Promise.race([look(), isLate]);
  } catch (error) {
    return { why: asFault(error).message, isKept: true };
  } finally {
    // A request that is under way ends by its own time limit.
    limit.clearQueue();
  }
}
