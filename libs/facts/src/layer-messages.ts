import { type LayerFacts } from '@kiln/domain';

/** One layer at a time: its beginning, its bytes, its end. */
export type ToWorker = { kind: 'begin'; mediaType: string } | { kind: 'chunk'; bytes: Uint8Array } | { kind: 'end' };

export type FromWorker =
  | { kind: 'taken'; bytes: number }
  | { kind: 'done'; facts: LayerFacts; digest: string }
  | { kind: 'failed'; message: string };
