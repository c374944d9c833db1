import { AsyncResource } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { metrics } from '@kiln/kit';
import {
  type BuildProgress,
  type Database,
  logExtent,
  type LogLine,
  readLogPiece,
  readProgress,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { Fault, isTerminal } from '@kiln/domain';
import { openPageCache } from './page-cache.ts';

/** A place in a build's log: before a line of an attempt, from 0. */
export interface LogPlace {
  attempt: number;
  line: number;
}

export type LogEvent =
  | { kind: 'lines'; attempt: number; lines: LogLine[] }
  /** The build has moved on. */
  | { kind: 'progress'; progress: BuildProgress }
  /** The place that was asked for is not there; it goes on from this one. */
  | { kind: 'reset'; place: LogPlace }
  /** Nothing more will come. */
  | { kind: 'end'; progress: BuildProgress };

/**
 * Logs as they are written, for any number of readers. Whoever reads asks for the piece after the last that it got, so
 * that nothing is missed or comes twice; those that ask for the same piece share one question to PostgreSQL, and
 * between two of a build's signals nobody asks anything.
 */
export interface LogFeed {
  /**
   * @param options.only follow the place's attempt and end with it
   * @param options.signal ends the events, without an error
   * @throws Fault Throttling when this process has as many readers as it may have
   */
  follow(buildId: string, place: LogPlace, options: { only?: boolean; signal: AbortSignal }): AsyncGenerator<LogEvent>;
  /** Ends what is followed, so that clients go on elsewhere. */
  close(): void;
}

/** Signals can be lost: without one, a build that somebody follows is looked at this often. */
const lookEveryMs = 1000;
/** Pieces that several readers may want, in all. */
const piecesBytesMax = 32 << 20;
/** Readers of one process. */
const readersMax = 10_000;
/** Whoever was ended by somebody else may still be writing its last lines. */
const lastLinesMs = 1500;

interface Watched {
  readers: number;
  progress: BuildProgress | undefined;
  /** Changes with each look. */
  looks: number;
  wake: Set<() => void>;
  stop: () => void;
}

export function openLogFeed(db: Database, signals: SignalBus): LogFeed {
  const pieces = openPageCache<LogLine>(piecesBytesMax, (it) => 2 * it.text.length + 100);
  const watched = new Map<string, Watched>();
  let closed = false;
  let readers = 0;

  const piece = (buildId: string, { attempt, line }: LogPlace): Promise<LogLine[]> =>
    pieces(`${buildId} ${attempt} ${line}`, () => readLogPiece(db, buildId, attempt, line));

  const watch = (buildId: string): Watched => {
    const known = watched.get(buildId);
    if (known) {
      known.readers += 1;
      return known;
    }
    let looking = false;
    let again = false;
    // Signals come in nobody's name, and nobody sees any build.
    const look = AsyncResource.bind(async (): Promise<void> => {
      if (looking) return void (again = true);
      looking = true;
      do {
        again = false;
        it.progress = (await readProgress(db, buildId).catch(() => undefined)) ?? it.progress;
        it.looks += 1;
        for (const wake of it.wake) wake();
      } while (again);
      looking = false;
    });
    const timer = setInterval(() => void look(), lookEveryMs);
    const unsubscribe = signals.on('progress', buildId, () => void look());
    const it: Watched = {
      readers: 1,
      progress: undefined,
      looks: 0,
      wake: new Set(),
      stop: () => {
        clearInterval(timer);
        unsubscribe();
      },
    };
    watched.set(buildId, it);
    void look();
    return it;
  };

  const leave = (buildId: string, it: Watched): void => {
    it.readers -= 1;
    if (it.readers > 0) return;
    it.stop();
    watched.delete(buildId);
  };

  /** Waits for a look after the given one. */
  const lookAfter = (it: Watched, looks: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (it.looks !== looks || signal.aborted || closed) return resolve();
      const wake = () => {
        it.wake.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      it.wake.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });

  /** The place itself, or the first one that is there instead. */
  const resolvePlace = async (buildId: string, place: LogPlace, progress: BuildProgress): Promise<LogPlace> => {
    const newest = Math.max(1, progress.attempt);
    if (place.attempt > newest) return { attempt: newest, line: (await logExtent(db, buildId, newest)).first };
    if (place.line === 0) return place;
    const { first, end } = await logExtent(db, buildId, place.attempt);
    return place.line < first || place.line > end ? { attempt: place.attempt, line: first } : place;
  };

  async function* read(
    buildId: string,
    it: Watched,
    wanted: LogPlace,
    only: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<LogEvent> {
    while (!it.progress && !signal.aborted && !closed) await lookAfter(it, it.looks, signal);
    if (!it.progress) return;
    let place = await resolvePlace(buildId, wanted, it.progress);
    if (place !== wanted) yield { kind: 'reset', place };
    let sent: BuildProgress | undefined;
    let last = false;
    for (;;) {
      if (signal.aborted || closed) return;
      // Looked at before the piece: what is not in the log of a build that had ended by then will not come.
      const { looks, progress } = it;
      if (
        sent?.state !== progress.state ||
        sent.phase !== progress.phase ||
        sent.attempt !== progress.attempt ||
        sent.step !== progress.step
      ) {
        sent = progress;
        yield { kind: 'progress', progress };
      }
      const lines: LogLine[] = await piece(buildId, place);
      const newest = lines.at(-1);
      if (newest) {
        yield { kind: 'lines', attempt: place.attempt, lines };
        place = { attempt: place.attempt, line: newest.n + 1 };
        continue;
      }
      const ended = isTerminal(progress.state);
      if (place.attempt < progress.attempt) {
        if (only) break;
        place = { attempt: place.attempt + 1, line: 0 };
      } else if (!ended) await lookAfter(it, looks, signal);
      else if (
        !last &&
        Date.now() - (progress.finishedAt?.getTime() ?? 0) < lastLinesMs &&
        progress.state !== 'succeeded'
      ) {
        last = true;
        await sleep(lastLinesMs, undefined, { signal }).catch(() => undefined);
      } else break;
    }
    yield { kind: 'end', progress: it.progress };
  }

  async function* followed(
    buildId: string,
    place: LogPlace,
    { only = false, signal }: { only?: boolean; signal: AbortSignal },
  ): AsyncGenerator<LogEvent> {
    readers += 1;
    metrics.logReaders.inc();
    const it = watch(buildId);
    try {
      yield* read(buildId, it, place, only, signal);
    } finally {
      readers -= 1;
      metrics.logReaders.dec();
      leave(buildId, it);
    }
  }

  return {
    follow(buildId, place, options) {
      if (readers >= readersMax)
        throw new Fault('Throttling', 'too many follow logs just now; try again', { retryAfterMs: 5000 });
      return followed(buildId, place, options);
    },
    close() {
      closed = true;
      for (const { wake } of watched.values()) for (const it of wake) it();
    },
  };
}
