import { type FetchedManifest } from '../client/client.ts';
import { type RegistryAccess } from '../client/connection.ts';

/** An image that an engine may read: by its digest only. */
export interface GatewaySource {
  access: RegistryAccess;
  repository: string;
  /** The image's manifest, where it has been read already: registries count how often that is done. */
  manifest?: FetchedManifest;
}

/** Where an engine may write one image. */
export interface GatewayTarget {
  access: RegistryAccess;
  repository: string;
  /** Tag that its manifest gets, whatever the engine calls it. */
  tag: string;
}

export interface GatewayOptions {
  sources: GatewaySource[];
  target?: GatewayTarget;
  signal: AbortSignal;
  /** Told of bytes of layers as they go from or to a registry. */
  onBytes?: (bytes: number) => void;
}
