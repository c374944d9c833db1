import { setTimeout as sleep } from 'node:timers/promises';
import { crashPoint } from '@kiln/kit';
import { appendLog, type Database, type LogChunk } from '@kiln/persistence';
import { type Redaction } from './redaction.ts';

/** A chunk is written when it reaches this size or age, whichever comes first. */
const chunkBytesMax = 64 * 1024;
const chunkAgeMs = 1000;
/** Between two tries to write a chunk while PostgreSQL is away. */
const retryMs = 500;
/** What a build may log in all; what comes after is left out, but for the error's own last lines. */
const logBytesMax = 64 << 20;

export interface BuildLog {
  /** Adds a line, or a piece of one that goes on; waits while the last chunk is still being written, so that a fast build cannot fill the memory. */
  write(line: string, goesOn?: boolean): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
  /** Milliseconds since the last line. */
  quietMs(): number;
}

/**
 * Streams an attempt's log into PostgreSQL under its fence.
 * @param redaction blots secrets out of it
 * @param stopped whether the attempt may not go on: what PostgreSQL did not take by then is given up
 */
export function openBuildLog(
  db: Database,
  attempt: { id: string; attempt: number; fence: number },
  redaction: Redaction,
  stopped: () => boolean,
): BuildLog {
  let lines: string[] = [];
  let times: number[] = [];
  let bytes = 0;
  let total = 0;
  let seq = 0;
  let firstLine = 0;
  let writing: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let lastLineAt = performance.now();

  const append = async (chunk: LogChunk): Promise<void> => {
    for (;;) {
      try {
        await appendLog(db, attempt, chunk);
        return crashPoint('log-written');
      } catch {
        // Written twice it is there once; given up it would be a gap.
        if (stopped()) return;
        await sleep(retryMs);
      }
    }
  };

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length > 0) {
      const chunk = { seq, firstLine, lineTimes: times, text: lines.join('\n') };
      seq += 1;
      firstLine += lines.length;
      [lines, times, bytes] = [[], [], 0];
      writing = writing.then(() => append(chunk));
    }
    await writing;
  };

  return {
    async write(line, goesOn = false) {
      lastLineAt = performance.now();
      if (total > logBytesMax) return;
      const shown = redaction.line(line, goesOn);
      total += shown.length + 1;
      lines.push(total > logBytesMax ? `[the log is cut here: it is larger than ${logBytesMax >> 20} MiB]` : shown);
      times.push(Date.now());
      bytes += Buffer.byteLength(shown) + 1;
      if (bytes >= chunkBytesMax) await flush();
      else timer ??= setTimeout(() => void flush(), chunkAgeMs);
    },
    flush,
    quietMs: () => performance.now() - lastLineAt,
  };
}
