/** Where something begins in bytes; or where it may begin, once more of them have come. */
export interface Place {
  at: number;
  isFound: boolean;
}

/** Looks for something in bytes that come in pieces, and keeps it and what follows. */
export class Seeker {
  readonly #find: (bytes: Buffer) => Place;
  readonly #keptMax: number;
  #before: Buffer = Buffer.alloc(0);
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;

  /** @param keptMax how many bytes are kept at least, where there are so many */
  constructor(find: (bytes: Buffer) => Place, keptMax: number) {
    this.#find = find;
    this.#keptMax = keptMax;
  }

  push(chunk: Buffer): void {
    if (this.#keptBytes >= this.#keptMax) return;
    if (this.#keptBytes > 0) return this.#keep(chunk);
    const bytes = this.#before.length > 0 ? Buffer.concat([this.#before, chunk]) : chunk;
    const { at, isFound } = this.#find(bytes);
    // Copied, so that the piece is not held for its last bytes.
    this.#before = isFound ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at));
    if (isFound) this.#keep(bytes.subarray(at));
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
  }

  /** @returns what was kept; undefined where nothing was found */
  kept(): Buffer | undefined {
    return this.#keptBytes > 0 ? Buffer.concat(this.#kept) : undefined;
  }
}
