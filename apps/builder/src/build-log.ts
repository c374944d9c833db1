import { appendLog, type Database } from '@kiln/persistence';
import { type Redaction } from './redaction.ts';

/** A chunk is written when it reaches this size or age, whichever comes first. */
const chunkBytesMax = 64 * 1024;
const chunkAgeMs = 1000;
/** What a build may log in all; what comes after is left out, but for the error's own last lines. */
const logBytesMax = 64 << 20;

export interface BuildLog {
  /** Adds a line; waits while the last chunk is still being written, so that a fast build cannot fill the memory. */
  write(line: string): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
}

/**
 * Streams an attempt's log into PostgreSQL under its fence.
 * @param redaction blots secrets out of it
 */
export function openBuildLog(
  db: Database,
  attempt: { id: string; attempt: number; fence: number },
  redaction: Redaction,
): BuildLog {
  let lines: string[] = [];
  let times: number[] = [];
  let bytes = 0;
  let total = 0;
  let seq = 0;
  let firstLine = 0;
  let writing: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length > 0) {
      const chunk = { seq, firstLine, lineTimes: times, text: lines.join('\n') };
      seq += 1;
      firstLine += lines.length;
      [lines, times, bytes] = [[], [], 0];
      // One after the other, so that a failure is met in order. A lost chunk must not end the build.
      writing = writing.then(() => appendLog(db, attempt, chunk)).catch(() => undefined);
    }
    await writing;
  };

  return {
    async write(line) {
      if (total > logBytesMax) return;
      const shown = redaction.text(line);
      total += shown.length + 1;
      lines.push(total > logBytesMax ? `[the log is cut here: it is larger than ${logBytesMax >> 20} MiB]` : shown);
      times.push(Date.now());
      bytes += Buffer.byteLength(shown) + 1;
      if (bytes >= chunkBytesMax) await flush();
      else timer ??= setTimeout(() => void flush(), chunkAgeMs);
    },
    flush,
  };
}
