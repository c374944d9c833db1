import { inSpan } from '@kiln/kit';
import { type Build, type Database, recordPhase } from '@kiln/persistence';
import type { BuildPhase } from '@kiln/domain';

/** Runs an attempt's phases one after the other and records start, end and result of each. */
export class Phases {
  readonly #db: Database;
  readonly #build: Build;
  #current: BuildPhase = 'prepare';
  #bytes = 0;

  constructor(db: Database, build: Build) {
    this.#db = db;
    this.#build = build;
  }

  get current(): BuildPhase {
    return this.#current;
  }

  /** Counts what goes from or to a registry in this phase. */
  readonly onBytes = (bytes: number): void => {
    this.#bytes += bytes;
  };

  /** @param stopped whether a failure is the end of a cancelled attempt */
  async run<T>(phase: BuildPhase, next: BuildPhase, work: () => Promise<T>, stopped: () => boolean): Promise<T> {
    this.#current = phase;
    this.#bytes = 0;
    const startedAtMs = Date.now();
    try {
      const result = await inSpan(phase, { 'kiln.phase': phase }, work);
      await recordPhase(this.#db, this.#build, { phase, startedAtMs, result: 'ok', bytes: this.#bytes }, next);
      return result;
    } catch (error) {
      await recordPhase(this.#db, this.#build, {
        phase,
        startedAtMs,
        result: stopped() ? 'cancelled' : 'failed',
        bytes: this.#bytes,
      }).catch(() => undefined);
      throw error;
    }
  }
}
