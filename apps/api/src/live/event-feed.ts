import { setTimeout as sleep } from 'node:timers/promises';
import { metrics } from '@kiln/kit';
import {
  type AccountEvent,
  accountsToldAfter,
  type Database,
  type EventPlace,
  formatPlace,
  placeThatIs,
  presentPlace,
  readEvents,
  startOfEvents,
} from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { Fault } from '@kiln/domain';
import { onChanges } from '@kiln/worker';
import { openSharedPieces } from './page-cache.ts';

export type FeedPiece =
  /** Where it begins: the place that was asked for, or the first one that is there instead. */
  { kind: 'start'; place: EventPlace; reset: boolean } | { kind: 'events'; events: AccountEvent[]; place: EventPlace };

/** Where to begin: a place that somebody names, or that nobody knows (`elsewhere`). */
export type WantedPlace = EventPlace | 'start' | 'now' | 'elsewhere';

/** An account's events as they happen, for any number of readers, without gap or repeat. */
export interface EventFeed {
  /** The place that is wanted, or what is there instead of it (`reset`). */
  present(wanted: WantedPlace): Promise<{ place: EventPlace; reset: boolean }>;
  /** Events after a place, as many as there are up to some hundred; none when there are none yet. */
  read(accountId: string, place: EventPlace): Promise<AccountEvent[]>;
  /**
   * @param signal ends it, without an error
   * @throws Fault Throttling when this process has as many readers as it may have, or as many of the account
   */
  follow(accountId: string, wanted: WantedPlace, signal: AbortSignal): AsyncGenerator<FeedPiece>;
  /** Ends what is followed, so that clients go on elsewhere. */
  close(): void;
}

const pieceMax = 100;
const piecesBytesMax = 16 << 20;
const readersMax = 10_000;
const readersOfAccountMax = 1000;
/** Signals can be lost, and what is told may have to wait for another transaction to end: looked at this often while somebody reads. */
const lookEveryMs = 500;
/** Signals come in crowds; one look does for those of this time. */
const gapMs = 40;

/**
 * @param db sees the rows of the reader's account
 * @param office sees those of all: whether anything has happened is asked once for all readers
 */
export function openEventFeed(db: Database, office: Database, signals: SignalBus): EventFeed {
  const pieces = openSharedPieces<AccountEvent>(piecesBytesMax, (it) => 600 + 2 * JSON.stringify(it.data).length);
  const read = (accountId: string, place: EventPlace) =>
    pieces(`${accountId} ${formatPlace(place)}`, () => readEvents(db, accountId, place, pieceMax), wakes);

  const present = async (wanted: WantedPlace) => {
    if (wanted === 'start') return { place: await startOfEvents(db), reset: false };
    if (wanted === 'now') return { place: await presentPlace(db), reset: false };
    if (wanted === 'elsewhere') return { place: await presentPlace(db), reset: true };
    const place = await placeThatIs(db, wanted);
    return { place, reset: place !== wanted };
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
  let nudge: () => void = () => undefined;

  const watch = async () => {
    let tail: EventPlace | undefined;
    while (readers > 0 && !stopped.signal.aborted) {
      const nudged = new Promise<void>((resolve) => (nudge = resolve));
      try {
        const known = tail ?? (await presentPlace(office));
        const told = await accountsToldAfter(office, known);
        // Of what came before it knew where to begin, nobody has told those who read by then.
        for (const it of tail ? told.accountIds : [...waiting.keys()]) wake(it);
        tail = told.place;
      } catch {
        // PostgreSQL is away. Nobody knows what comes meanwhile.
        tail = undefined;
      }
      const stop = new AbortController();
      await Promise.race([nudged, sleep(lookEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)]);
      stop.abort();
      await sleep(gapMs);
    }
    watching = false;
  };
  let watching = false;
  const silence = onChanges(signals, () => nudge());

  async function* followed(accountId: string, wanted: WantedPlace, signal: AbortSignal): AsyncGenerator<FeedPiece> {
    let told = true;
    let goOn: () => void = () => undefined;
    const hear = () => {
      told = true;
      goOn();
    };
    const set = waiting.get(accountId) ?? new Set();
    waiting.set(accountId, set.add(hear));
    // By hand: what `AbortSignal.any` makes is kept by a signal that lives as long as the process.
    for (const it of [signal, stopped.signal]) it.addEventListener('abort', hear);
    const isOver = () => signal.aborted || stopped.signal.aborted;
    readers += 1;
    metrics.eventReaders.inc();
    if (!watching) {
      watching = true;
      void watch();
    }
    try {
      const start = await present(wanted);
      let { place } = start;
      yield { kind: 'start', ...start };
      while (!isOver()) {
        told = false;
        const events = await read(accountId, place);
        const last = events.at(-1);
        if (last) {
          place = last.place;
          yield { kind: 'events', events, place };
          continue;
        }
        // Set by whoever wakes it, maybe while it was reading.
        if (!told) await new Promise<void>((resolve) => (goOn = resolve));
      }
    } finally {
      readers -= 1;
      metrics.eventReaders.dec();
      for (const it of [signal, stopped.signal]) it.removeEventListener('abort', hear);
      set.delete(hear);
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
      nudge();
      silence();
    },
  };
}
