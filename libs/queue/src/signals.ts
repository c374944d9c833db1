import { everyone, signals, type SignalName } from '@kiln/contract';
import type { Broker, Message } from './broker.ts';

/** Wakes other processes at once, where otherwise they would find out at their next look at PostgreSQL. */
export interface SignalBus {
  /** Best effort: never throws and never waits. */
  send(signal: SignalName, id: string): void;
  /** Calls `listen` for each signal about `id`, or about anything for `everyone`; the answer stops it. */
  on(signal: SignalName, id: string, listen: () => void): () => void;
  close: () => void;
}

const keyOf = ({ topic, id }: Message): string => `${topic} ${id}`;

export function openSignals(broker: Broker): SignalBus {
  const listeners = new Map<string, Set<() => void>>();
  // The same signal many times in one turn is one signal.
  const unsent = new Map<string, Message>();
  const sendAll = () => {
    const messages = [...unsent.values()];
    unsent.clear();
    broker.publish(messages).catch(() => undefined);
  };
  const stop = broker.subscribe(Object.values(signals), ({ topic, id }) => {
    for (const about of new Set([id, everyone]))
      for (const listen of listeners.get(keyOf({ topic, id: about })) ?? []) listen();
  });
  return {
    send(signal, id) {
      if (unsent.size === 0) setImmediate(sendAll);
      const message = { topic: signals[signal], id };
      unsent.set(keyOf(message), message);
    },
    on(signal, id, listen) {
      const key = keyOf({ topic: signals[signal], id });
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listen));
      return () => {
        set.delete(listen);
        if (set.size === 0) listeners.delete(key);
      };
    },
    close() {
      stop();
      listeners.clear();
    },
  };
}
