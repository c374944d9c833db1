import { everyone, signals, type SignalName } from '@kiln/contract';
import { type Redis } from 'ioredis';

/** Wakes other processes at once, where otherwise they would find out at their next look at PostgreSQL. */
export interface SignalBus {
  /** Best effort: never throws and never waits. */
  send(signal: SignalName, id: string): void;
  /** Calls `listen` for each signal about `id`, or about anything for `everyone`; the answer stops it. */
  on(signal: SignalName, id: string, listen: () => void): () => void;
  close: () => void;
}

export function openSignals(publisher: Redis, subscriber: Redis, prefix: string): SignalBus {
  const unsent = new Set<string>();
  const listeners = new Map<string, Set<() => void>>();
  const channel = (signal: SignalName) => `${prefix}:signal:${signals[signal]}`;
  const channels = (Object.keys(signals) as SignalName[]).map(channel);
  // ioredis subscribes again by itself after a reconnect.
  subscriber.subscribe(...channels).catch(() => undefined);
  // A subscriber says nothing, so that it would not notice a connection that has died without a word.
  const ping = setInterval(() => void subscriber.ping().catch(() => undefined), 3000);
  subscriber.on('message', (from: string, id: string) => {
    for (const about of new Set([id, everyone])) for (const listen of listeners.get(`${from} ${about}`) ?? []) listen();
  });
  return {
    send(signal, id) {
      // The same signal many times in one turn is one signal.
      const key = `${signal} ${id}`;
      if (unsent.has(key)) return;
      unsent.add(key);
      setImmediate(() => {
        unsent.delete(key);
        publisher.publish(channel(signal), id).catch(() => undefined);
      });
    },
    on(signal, id, listen) {
      const key = `${channel(signal)} ${id}`;
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listen));
      return () => {
        set.delete(listen);
        if (set.size === 0) listeners.delete(key);
      };
    },
    close() {
      clearInterval(ping);
      listeners.clear();
    },
  };
}
