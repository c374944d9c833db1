/** An instruction in an image's history, with the layer that it made. */
export interface ImageStep {
  instruction: string;
  /** Of the layer; both absent where there is none. */
  digest?: string;
  /** Compressed bytes. */
  size?: number;
  compression?: 'gzip' | 'zstd' | 'none';
}
