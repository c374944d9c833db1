import { LRUCache } from 'lru-cache';

/**
 * Pieces of something that only grows at its end, for many readers that each ask for the piece after the last that they
 * got. Those that ask for the same piece share one question, unless they know of something that came after it was asked
 * (`since`); one that is there never changes and may be remembered, an empty one is not there yet.
 */
export type PageCache<T> = (key: string, ask: () => Promise<T[]>, since?: number) => Promise<T[]>;

/** @param sizeOf bytes that one item takes, roughly */
export function openPageCache<T>(bytesMax: number, sizeOf: (item: T) => number): PageCache<T> {
  const pieces = new LRUCache<string, T[]>({
    maxSize: bytesMax,
    sizeCalculation: (items) => items.reduce((sum, it) => sum + sizeOf(it), 100),
  });
  const asked = new Map<string, Promise<T[]>>();
  return (key, ask, since = 0) => {
    const known = pieces.get(key);
    if (known) return Promise.resolve(known);
    const question = `${key} ${since}`;
    const underWay = asked.get(question);
    if (underWay) return underWay;
    const answer = ask()
      .then((items) => {
        if (items.length > 0) pieces.set(key, items);
        return items;
      })
      .finally(() => asked.delete(question));
    asked.set(question, answer);
    return answer;
  };
}
