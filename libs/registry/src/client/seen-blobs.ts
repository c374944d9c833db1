import { LRUCache } from 'lru-cache';

/** A blob that was there is taken to be there for this long: images of one repository share most of their layers. */
const seenMs = 10_000;

/** What one registry was found to hold a moment ago, by repository, for one set of credentials. */
export class SeenBlobs {
  readonly #sizes = new LRUCache<string, number>({ max: 10_000, ttl: seenMs });
  readonly #bytes = new LRUCache<string, Buffer>({
    maxSize: 16 << 20,
    sizeCalculation: (it) => it.length + 1,
    ttl: seenMs,
  });

  size(repository: string, digest: string): number | undefined {
    return this.#sizes.get(`${repository}@${digest}`);
  }

  add(repository: string, digest: string, size: number): void {
    this.#sizes.set(`${repository}@${digest}`, size);
  }

  bytes(repository: string, digest: string): Buffer | undefined {
    return this.#bytes.get(`${repository}@${digest}`);
  }

  /** Keeps bytes that match their digest. */
  keep(repository: string, digest: string, bytes: Buffer): void {
    this.#bytes.set(`${repository}@${digest}`, bytes);
  }
}
