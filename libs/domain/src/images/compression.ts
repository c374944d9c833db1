/** How the layers of an image are packed. */
export interface Compression {
  type: 'gzip' | 'zstd';
  /** The engine's own when left out. */
  level?: number | undefined;
  /** Whether layers that are there already, packed otherwise, are packed anew. */
  force?: boolean;
}

export const compressionChoices = ['gzip', 'zstd', 'auto'] as const;
export type CompressionChoice = (typeof compressionChoices)[number];

/** Highest level of each; the lowest is 1. */
export const compressionLevelMax = { gzip: 9, zstd: 22 } as const;

/** How a layer is packed, by its media type: `+gzip`, `.gzip` of Docker's, `+zstd`, or not at all. */
export const compressionOf = (mediaType: string): 'gzip' | 'zstd' | 'none' =>
  mediaType.endsWith('gzip') ? 'gzip' : mediaType.endsWith('zstd') ? 'zstd' : 'none';
