import type { FetchedManifest } from '../client/client.ts';
import type { RegistryAccess } from '../client/connection.ts';
import type { LayerStore } from './layer-store.ts';

/** An image that an engine may read: by its digest only. */
export interface GatewaySource {
  access: RegistryAccess;
  repository: string;
  /** The image's manifest, read with this build's own credentials. */
  manifest: FetchedManifest;
}

/** Where an engine may write one image. */
export interface GatewayTarget {
  access: RegistryAccess;
  repository: string;
  /** Tag that its manifest gets, for registries that keep none without; it gets none when left out. */
  tag?: string | undefined;
  /** Ends what is sent there; the build's own when left out. */
  signal?: AbortSignal;
}

export interface GatewayOptions {
  sources: readonly GatewaySource[];
  signal: AbortSignal;
  /** Layers of bases that this machine has already. */
  layers?: LayerStore | undefined;
  /** Told of bytes of layers as they go from or to a registry. */
  onBytes?: (bytes: number) => void;
  /** Told of a base's layer that the engine reads: from where, and its size in bytes where that is known. */
  onBaseLayer?: (from: 'disk' | 'registry', bytes: number) => void;
}
