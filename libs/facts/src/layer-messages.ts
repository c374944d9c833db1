import { type LayerFacts } from '@kiln/domain';

/** What a thread starts with. */
export interface LayerOfWorker {
  mediaType: string;
}

/** A layer's bytes, and its end. */
export type ToWorker = { kind: 'chunk'; bytes: Uint8Array } | { kind: 'end' };

export type FromWorker =
  | { kind: 'taken'; bytes: number }
  | { kind: 'done'; facts: LayerFacts; digest: string }
  | { kind: 'failed'; message: string };
