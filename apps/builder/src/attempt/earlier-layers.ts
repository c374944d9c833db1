import { createHash } from 'node:crypto';
import { Fault } from '@kiln/domain';
import type { Build, RegistryConnection } from '@kiln/persistence';
import { findLayerCache, type GatewaySource, type LayerCachePlace, type RegistryClients } from '@kiln/registry';
import type { BuildAccess } from '@kiln/usecases';
import type { Attempt } from './attempt.ts';

/** Where layers of a build are kept, and by which of its account's connections. */
export interface CachePlace extends LayerCachePlace {
  connection: RegistryConnection;
}

/** @returns undefined where the connection names no repository for layers, or its registry has refused them */
export function cachePlaceOf({ connection, connected }: BuildAccess, build: Build): CachePlace | undefined {
  if (!connected || !connection?.cacheRepository || connection.takesCache === false) return undefined;
  // What others write is never read, though they write to the same repository.
  const key = JSON.stringify([build.accountId, build.host, build.repository, build.request.platform ?? '']);
  const tag = `kiln-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  return { access: connected, repository: connection.cacheRepository, tag, connection };
}

/** Layers of earlier builds, as far as a build may use them. */
export interface EarlierLayers {
  /** What the gateway is to give; undefined when there are none. */
  source: GatewaySource | undefined;
  /** Whether to send a build's layers would change nothing, unless one of its steps runs. */
  areKept: boolean;
}

/** Looks for layers of earlier builds in the registry, and tells the build's log what is there. */
export async function findEarlierLayers(
  registries: RegistryClients,
  { build, log, signal }: Attempt,
  place: CachePlace | undefined,
): Promise<EarlierLayers> {
  // Should they be in the way, they are not the next time.
  if (!place || build.request.noCache === true || build.attempt > 1) return { source: undefined, areKept: false };
  const found = await findLayerCache(registries, place, signal);
  const name = `${place.access.host}/${place.repository}`;
  if ('why' in found) {
    await log.write(`kiln: no layers of earlier builds from ${name}: ${found.why}`);
    return { source: undefined, areKept: found.isKept };
  }
  await log.write(`kiln: ${found.layers} layers of earlier builds are in ${name}`);
  return { source: found.source, areKept: true };
}

/** All that errors say, each with what it comes from. */
function* wordsOf(...errors: unknown[]): Generator<string> {
  for (const error of errors)
    for (let it = error; it instanceof Error; it = it.cause) {
      yield it.message;
      if (it instanceof Fault) yield JSON.stringify(it.details);
    }
}

/** Whether a build failed for one of the layers: its registry had it a moment ago. */
export function failedFor({ manifest }: GatewaySource, ...errors: unknown[]): boolean {
  const layers = new Set(manifest.bytes.toString().match(/sha256:[0-9a-f]{64}/g));
  layers.add(manifest.digest);
  return [...wordsOf(...errors)].some((it) => it.match(/sha256:[0-9a-f]{64}/g)?.some((digest) => layers.has(digest)));
}
