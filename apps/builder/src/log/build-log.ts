import { crashPoint, metrics } from '@kiln/kit';
import { appendLog, type Database, type LogChunk } from '@kiln/persistence';
import type { Redaction } from './redaction.ts';
import { retryWrite } from '../attempt/retry-write.ts';

/** A chunk is written when it reaches this size or age, whichever comes first. */
const chunkBytesMax = 64 * 1024;
const chunkAgeMs = 1000;
/** What an attempt may log before its log is cut, and how much of its end is kept all the same. */
const headBytesMax = 64 << 20;
const tailBytesMax = 1 << 20;

export interface BuildLog {
  /**
   * Adds a line of a step, or a piece of one that goes on; waits while the last chunk is still being written, so that a fast
   * build cannot fill the memory.
   */
  write(line: string, partial?: boolean, step?: number): Promise<void>;
  /** Writes what is left, and the end of a log that was cut. */
  flush(): Promise<void>;
  /** Number that the next line will have. */
  nextLine(): number;
  /** Milliseconds since the last line. */
  idleMs(): number;
}

interface Kept {
  text: string;
  step: number;
  at: number;
}

/** The last lines of many, bounded in bytes. */
class Tail {
  #lines: Kept[] = [];
  #first = 0;
  #dropped = 0;
  #bytes = 0;

  push(line: Kept): void {
    this.#lines.push(line);
    this.#bytes += line.text.length + 1;
    while (this.#bytes > tailBytesMax && this.#first < this.#lines.length - 1) {
      this.#bytes -= (this.#lines[this.#first]?.text.length ?? 0) + 1;
      this.#lines[this.#first] = { text: '', step: 0, at: 0 }; // its text is not held any longer
      this.#first += 1;
    }
    if (this.#first > 10_000) {
      this.#lines = this.#lines.slice(this.#first);
      this.#dropped += this.#first;
      this.#first = 0;
    }
  }

  /** @returns how many lines were left out, and those after them; it is empty then */
  take(): { left: number; kept: Kept[] } {
    const taken = { left: this.#dropped + this.#first, kept: this.#lines.slice(this.#first) };
    [this.#lines, this.#first, this.#bytes, this.#dropped] = [[], 0, 0, 0];
    return taken;
  }
}

/**
 * Streams an attempt's log into PostgreSQL under its fence.
 * @param redaction blots secrets out of it
 * @param written called after each piece
 * @param before waited for before each piece is written
 * @param stopped whether the attempt may not go on: what PostgreSQL did not take by then is given up
 */
export function openBuildLog(
  db: Database,
  attempt: { id: string; attempt: number; fence: number },
  redaction: Redaction,
  written: () => void,
  stopped: () => boolean,
  before: () => Promise<void> = () => Promise.resolve(),
): BuildLog {
  const tail = new Tail();
  let lines: string[] = [];
  let times: number[] = [];
  let steps: number[] = [];
  let bytes = 0;
  let total = 0;
  let seq = 0;
  let firstLine = 0;
  let writing: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let lastLineAt = performance.now();

  // What comes after a piece that was given up would leave a gap before it.
  let isOver = false;

  const append = async (chunk: LogChunk): Promise<void> => {
    // Written twice it is there once.
    isOver ||= !(await retryWrite(() => appendLog(db, attempt, chunk), stopped));
    if (isOver) return;
    written();
    crashPoint('log-written');
  };

  const writeOut = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length > 0) {
      const chunk = { seq, firstLine, lineTimes: times, lineSteps: steps, text: lines.join('\n') };
      seq += 1;
      firstLine += lines.length;
      [lines, times, steps, bytes] = [[], [], [], 0];
      writing = writing.then(before).then(() => append(chunk));
    }
    await writing;
  };

  const add = async (shown: string, step: number, at: number): Promise<void> => {
    lines.push(shown);
    times.push(at);
    steps.push(step);
    const length = Buffer.byteLength(shown) + 1;
    bytes += length;
    metrics.logBytes.inc(length);
    if (bytes >= chunkBytesMax) await writeOut();
    else timer ??= setTimeout(() => void writeOut(), chunkAgeMs);
  };

  return {
    async write(line, partial = false, step = 0) {
      lastLineAt = performance.now();
      const shown = redaction.line(line, partial);
      if (total > headBytesMax) return tail.push({ text: shown, step, at: Date.now() });
      total += shown.length + 1;
      if (total <= headBytesMax) return add(shown, step, Date.now());
      tail.push({ text: shown, step, at: Date.now() });
      await add(
        `[the log is cut here, at ${headBytesMax >> 20} MiB: what it ends with comes when it has ended]`,
        step,
        Date.now(),
      );
    },
    async flush() {
      const { left, kept } = tail.take();
      if (left > 0) await add(`[${left} lines are left out here]`, 0, Date.now());
      for (const { text, step, at } of kept) await add(text, step, at);
      await writeOut();
      await before();
    },
    nextLine: () => firstLine + lines.length,
    idleMs: () => performance.now() - lastLineAt,
  };
}
