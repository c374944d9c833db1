import { LRUCache } from 'lru-cache';

/** What a costly question about a list was answered with: the ids of all its entries, in order. */
export interface Ids {
  /** All ids, end to end; every id of one list has the same length. */
  text: string;
  count: number;
}

/**
 * Answers about lists, kept for as long as the lists they were asked of stand still: a key carries its list's version.
 * They are exact, therefore; one whose list has changed is asked anew, and falls out when room is needed.
 */
export interface RememberedLists {
  get(version: string, key: string, ask: () => Promise<Ids>): Promise<Ids>;
}

/** @param bytesMax how much memory the answers may take */
export function openRememberedLists(bytesMax = 64 << 20): RememberedLists {
  const kept = new LRUCache<string, Ids>({
    maxSize: bytesMax,
    sizeCalculation: ({ text }, name) => text.length + name.length + 256,
  });
  const underWay = new Map<string, Promise<Ids>>();
  return {
    get(version, key, ask) {
      const name = `${version} ${key}`;
      const known = kept.get(name);
      if (known) return Promise.resolve(known);
      // Those who ask the same meanwhile wait for the one answer.
      const asked =
        underWay.get(name) ??
        ask()
          .then((answer) => {
            kept.set(name, answer);
            return answer;
          })
          .finally(() => underWay.delete(name));
      underWay.set(name, asked);
      return asked;
    },
  };
}

/** Rows in the order of their ids; one that is gone is left out. */
export function inOrderOf<T extends { id: string }>(ids: string[], rows: T[]): T[] {
  const known = new Map(rows.map((it) => [it.id, it]));
  return ids.flatMap((id) => known.get(id) ?? []);
}

/** The ids of one page. */
export function pageOfIds({ text, count }: Ids, limit: number, offset: number): string[] {
  const width = count === 0 ? 0 : text.length / count;
  const last = Math.min(count, offset + limit);
  return Array.from({ length: Math.max(0, last - offset) }, (_, n) =>
    text.slice((offset + n) * width, (offset + n + 1) * width),
  );
}
