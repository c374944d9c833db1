import type { LayerFacts } from '@kiln/domain';

/** A layer's beginning, its bytes, and its end; the next one begins when this one is answered. */
export type ToWorker = { kind: 'begin'; mediaType: string } | { kind: 'chunk'; bytes: Uint8Array } | { kind: 'end' };

export type FromWorker =
  | { kind: 'taken'; bytes: number }
  | { kind: 'done'; facts: LayerFacts; digest: string }
  | { kind: 'failed'; message: string };
