import type { SignalBus } from '@kiln/queue';
import { everyone } from '@kiln/contract';

/** Calls `listen` whenever a signal says that some build or image may have changed its state; the answer stops it. */
export function onChanges(signals: SignalBus, listen: () => void): () => void {
  const unsubscribe = (['progress', 'registered', 'dispatch'] as const).map((it) => signals.on(it, everyone, listen));
  return () => {
    for (const it of unsubscribe) it();
  };
}
