import { LRUCache } from 'lru-cache';

/**
 * Answers that are remembered for a while: those who ask the same meanwhile share one question. A failure is not an
 * answer.
 */
export type TtlCache = <T>(key: string, ask: () => Promise<T>) => Promise<T>;

export function openTtlCache(options: { max: number; ttl: number }): TtlCache {
  // Promises, and not what they give: "not there" is worth remembering, too.
  const kept = new LRUCache<string, Promise<unknown>>(options);
  return <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const known = kept.get(key) as Promise<T> | undefined;
    if (known) return known;
    const answer = ask();
    kept.set(key, answer);
    answer.catch(() => kept.delete(key));
    return answer;
  };
}
