import { crashPoint, type Logger, metrics, type PollLoop } from '@kiln/kit';
import {
  asOnlySweeper,
  type Clocks,
  type Database,
  type EndedCursor,
  findNeglect,
  firstEnded,
  forgetBuilds,
  forgetEvents,
  forgetInspections,
  forgetOldWorkers,
  readOutbox,
  placeAnew,
  type RetryPolicy,
  sampleSlots,
  sweepClocks,
  sweepExpired,
  sweepLeases,
  sweepRegistrations,
  sweepTallies,
  republishStale,
  watchForgottenTags,
} from '@kiln/persistence';
import type { Producer, SignalBus } from '@kiln/queue';
import type { Relay } from '@kiln/worker';

/** What no worker will do. At most one registrar does it at a time; done again, it changes nothing. */
export interface Sweeper {
  /**
   * Looks for leases of workers that died or fell silent, clocks that ran out, announcements that were lost, if
   * anything is under way; now and then, forgets what nobody needs any more.
   */
  sweep: (underWay: boolean) => Promise<void>;
}

export interface SweeperDeps {
  db: Database;
  producer: Producer;
  relay: Relay;
  dispatcher: PollLoop;
  signals: SignalBus;
  /** How long what is over is kept, in days. */
  keptDays: { events: number; logs: number; builds: number };
  log: Logger;
}

const tidyUpEveryMs = 60_000;
const forgetEveryMs = 3_600_000;
const forgetBuildsEveryMs = 86_400_000;
/** A worker counts as dead when it was missed for this long: one whose connection broke is back sooner. */
const missedMs = 900;
const patience = {
  /** A job that nobody took within this time is announced again. */
  staleSeconds: 1.5,
  /** How long a builder has to claim what is meant for it alone. On a busy machine it takes seconds now and then. */
  missedSeconds: 4,
};
/** Announcements that are older than this say that Redis is away. */
const outboxAlarmMs = 5000;

/** Remembers since when each worker has been missed, from one sweep to the next. */
function openAbsences() {
  let since = new Map<string, number>();
  return {
    deadOf(missing: string[]): string[] {
      const now = performance.now();
      since = new Map(missing.map((it) => [it, since.get(it) ?? now]));
      return missing.filter((it) => now - (since.get(it) ?? now) >= missedMs);
    },
    /** Nobody looks now: who is missed later may have been back. */
    forget: () => since.clear(),
  };
}

export function openSweeper(deps: SweeperDeps, clocks: Clocks, policy: RetryPolicy): Sweeper {
  const { db, producer, relay, dispatcher, signals, keptDays, log } = deps;
  const absences = openAbsences();
  let round = 0;
  const count = (action: string, n: number) => n > 0 && metrics.reconciled.inc({ action }, n);
  const mend = async (dead: string[], forgotten: boolean) => {
    const taken = await sweepLeases(db, dead, policy);
    if (taken.length > 0) crashPoint('builds-taken-away');
    count('build-taken-away', taken.length);
    const ended = await sweepClocks(db, clocks);
    count('clock-ran-out', ended.length);
    // Whoever still works on them is told, and finds that they are no longer its own.
    for (const id of [...taken, ...ended]) {
      signals.send('cancel', id);
      signals.send('progress', id);
    }
    if (taken.length > 0) log.warn({ builds: taken, dead }, 'took builds from their workers');
    const freed = await sweepRegistrations(db, dead);
    count('registration-freed', freed);
    const given = await placeAnew(db, patience.missedSeconds);
    count('placed-anew', given);
    const told = await republishStale(db, forgotten ? 0 : patience.staleSeconds);
    if (forgotten) await producer.mark();
    count('announced-again', told);
    count('redis-forgot', forgotten ? 1 : 0);
    if (freed + told > 0) relay.wake();
    if (taken.length + ended.length + given > 0) dispatcher.wake();
  };
  let tidiedAt = -Infinity;
  let forgotAt = -Infinity;
  let endedAt = -Infinity;
  let oldEvents = false;
  /** From where on builds that ended are to be looked at; undefined when all were. */
  let endedFrom: EndedCursor | undefined;
  const tidyUp = async () => {
    if (performance.now() - tidiedAt >= tidyUpEveryMs) {
      tidiedAt = performance.now();
      oldEvents = true;
      await Promise.all([sweepTallies(db), sweepExpired(db), sampleSlots(db)]);
      for (const it of (await forgetOldWorkers(db)).filter(({ app }) => app === 'builder'))
        // Not waited for: the queue may be away, and leases are not.
        void producer
          .removeQueue(it)
          .catch((error: unknown) =>
            log.warn({ err: error, builder: it.name }, 'queue of a builder that is gone stays'),
          );
    }
    if (performance.now() - endedAt >= forgetBuildsEveryMs) {
      endedAt = performance.now();
      endedFrom = firstEnded;
    }
    // They look at every image.
    if (performance.now() - forgotAt >= forgetEveryMs) {
      forgotAt = performance.now();
      await forgetInspections(db);
      await watchForgottenTags(db);
    }
    // Some thousand at a time, so that it is soon somebody else's turn.
    if (oldEvents) oldEvents = await forgetEvents(db, keptDays.events);
    if (endedFrom) {
      const from = endedFrom;
      // What fails now is tried again with the next day's.
      endedFrom = undefined;
      endedFrom = await forgetBuilds(db, keptDays, from);
    }
  };
  const look = async (): Promise<(() => Promise<void>)[]> => {
    const [{ dead: missing, isAny }, isMarked] = await Promise.all([
      findNeglect(db, clocks, patience),
      // While Redis cannot be asked, nobody knows what it has forgotten.
      producer.isMarked().catch(() => true),
    ]);
    const dead = absences.deadOf(missing);
    const forgotten = !isMarked;
    round += 1;
    return [
      ...(isAny || forgotten || dead.length > 0 ? [() => mend(dead, forgotten)] : []),
      ...(round % 10 === 0 ? [() => sweepTallies(db).then(() => undefined)] : []),
      ...(round % 10 === 5 ? [() => alarm(db, log)] : []),
    ];
  };
  return {
    async sweep(underWay) {
      if (!underWay) absences.forget();
      const work = underWay ? await look() : [];
      const isTidy = !oldEvents && !endedFrom && performance.now() - tidiedAt < tidyUpEveryMs;
      if (!isTidy) work.push(tidyUp);
      if (work.length === 0) return;
      await asOnlySweeper(db, async () => {
        for (const it of work) await it();
      });
    },
  };
}

async function alarm(db: Database, log: Logger): Promise<void> {
  const { waiting, oldestMs } = await readOutbox(db);
  if (oldestMs > outboxAlarmMs)
    log.error({ waiting, oldestMs }, 'announcements do not reach the queue; can it be reached?');
}
