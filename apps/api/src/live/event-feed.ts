import { setTimeout as sleep } from 'node:timers/promises';
import { metrics } from '@kiln/kit';
import {
  type AccountEvent,
  accountsWithEventsAfter,
  type Database,
  resolveEventCursor,
  currentEventCursor,
  readEvents,
  oldestEventCursor,
} from '@kiln/persistence';
import { type EventCursor, formatEventCursor, Fault } from '@kiln/domain';
import type { SignalBus } from '@kiln/queue';
import { onChanges } from '@kiln/worker';
import { openPageCache } from './page-cache.ts';

export type FeedPiece =
  /** Where it begins: the cursor that was asked for, or the one that is valid instead (`reset`). */
  | { kind: 'start'; cursor: EventCursor; reset: boolean }
  | { kind: 'events'; events: AccountEvent[]; cursor: EventCursor };

/** Where to begin: a cursor, the oldest event, the present, or a cursor that was not understood (`elsewhere`). */
export type WantedCursor = EventCursor | 'start' | 'now' | 'elsewhere';

/** An account's events as they happen, for any number of readers, without gap or repeat. */
export interface EventFeed {
  /** Resolves where to begin. */
  present(wanted: WantedCursor): Promise<{ cursor: EventCursor; reset: boolean }>;
  /** Up to a hundred events after a cursor; none when there are none yet. */
  read(accountId: string, cursor: EventCursor): Promise<AccountEvent[]>;
  /**
   * @param signal ends it, without an error
   * @throws Fault Throttling when this process has as many readers as it may have, or as many of the account
   */
  follow(accountId: string, wanted: WantedCursor, signal: AbortSignal): AsyncGenerator<FeedPiece>;
  /** Ends what is followed, so that clients go on elsewhere. */
  close(): void;
}

const pieceMax = 100;
const piecesBytesMax = 16 << 20;
const readersMax = 10_000;
const readersOfAccountMax = 1000;
/** Signals can be lost, and events become visible only when older transactions have ended. */
const lookEveryMs = 500;
/** Signals come in crowds; one look does for those of this time. */
const gapMs = 40;

/**
 * @param db sees the rows of the reader's account
 * @param systemDb sees those of all: whether anything has happened is asked once for all readers
 */
export function openEventFeed(db: Database, systemDb: Database, signals: SignalBus): EventFeed {
  const pieces = openPageCache<AccountEvent>(piecesBytesMax, (it) => 600 + 2 * JSON.stringify(it.data).length);
  const read = (accountId: string, cursor: EventCursor) =>
    pieces(`${accountId} ${formatEventCursor(cursor)}`, () => readEvents(db, accountId, cursor, pieceMax), wakes);

  const present = async (wanted: WantedCursor) => {
    if (wanted === 'start') return { cursor: await oldestEventCursor(db), reset: false };
    if (wanted === 'now') return { cursor: await currentEventCursor(db), reset: false };
    if (wanted === 'elsewhere') return { cursor: await currentEventCursor(db), reset: true };
    const cursor = await resolveEventCursor(db, wanted);
    return { cursor, reset: cursor !== wanted };
  };

  /** How often anybody was woken: who was, does not take the answer to a question from before. */
  let wakes = 0;
  /** Whoever waits for events of an account. */
  const waiting = new Map<string, Set<() => void>>();
  const wake = (accountId: string) => {
    wakes += 1;
    for (const it of waiting.get(accountId) ?? []) it();
  };
  const stopped = new AbortController();
  let readers = 0;
  let endWait: () => void = () => undefined;

  const watch = async () => {
    let tail: EventCursor | undefined;
    while (readers > 0 && !stopped.signal.aborted) {
      const woken = new Promise<void>((resolve) => (endWait = resolve));
      try {
        const known = tail ?? (await currentEventCursor(systemDb));
        const news = await accountsWithEventsAfter(systemDb, known);
        // At the first look nobody knows what the readers have missed: all of them look.
        for (const it of tail ? news.accountIds : [...waiting.keys()]) wake(it);
        tail = news.cursor;
      } catch {
        // PostgreSQL is away. Nobody knows what comes meanwhile.
        tail = undefined;
      }
      const stop = new AbortController();
      await Promise.race([woken, sleep(lookEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)]);
      stop.abort();
      await sleep(gapMs);
    }
    watching = false;
  };
  let watching = false;
  const unsubscribe = onChanges(signals, () => endWait());

  async function* followed(accountId: string, wanted: WantedCursor, signal: AbortSignal): AsyncGenerator<FeedPiece> {
    let isStale = true;
    let goOn: () => void = () => undefined;
    const onWake = () => {
      isStale = true;
      goOn();
    };
    const set = waiting.get(accountId) ?? new Set();
    waiting.set(accountId, set.add(onWake));
    // By hand: what `AbortSignal.any` makes is kept by a signal that lives as long as the process.
    for (const it of [signal, stopped.signal]) it.addEventListener('abort', onWake);
    const isOver = () => signal.aborted || stopped.signal.aborted;
    readers += 1;
    metrics.eventReaders.inc();
    if (!watching) {
      watching = true;
      void watch();
    }
    try {
      const start = await present(wanted);
      let { cursor } = start;
      yield { kind: 'start', ...start };
      while (!isOver()) {
        isStale = false;
        const events = await read(accountId, cursor);
        const last = events.at(-1);
        if (last) {
          cursor = last.cursor;
          yield { kind: 'events', events, cursor };
          continue;
        }
        // Set by whoever wakes it, maybe while it was reading.
        if (!isStale) await new Promise<void>((resolve) => (goOn = resolve));
      }
    } finally {
      readers -= 1;
      metrics.eventReaders.dec();
      for (const it of [signal, stopped.signal]) it.removeEventListener('abort', onWake);
      set.delete(onWake);
      if (set.size === 0) waiting.delete(accountId);
    }
  }

  return {
    present,
    read,
    follow(accountId, wanted, signal) {
      if (readers >= readersMax || (waiting.get(accountId)?.size ?? 0) >= readersOfAccountMax)
        throw new Fault('Throttling', 'too many follow events just now; try again', { retryAfterMs: 5000 });
      return followed(accountId, wanted, signal);
    },
    close() {
      stopped.abort();
      endWait();
      unsubscribe();
    },
  };
}
