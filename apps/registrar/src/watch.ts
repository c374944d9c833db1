import type { Logger } from '@kiln/kit';
import { type Database, readWorkAtHand } from '@kiln/persistence';
import type { Sweeper } from './sweep.ts';
import type { WebhookSender } from './webhooks.ts';

export interface Watch {
  close: () => Promise<void>;
}

interface Wakeable {
  wake(): void;
}

const lookEveryMs = 250;
const sweepEveryMs = 500;

/**
 * Asks PostgreSQL four times a second, in one statement, whether there is work, and wakes the loops that do it. Signals
 * are faster, but are lost with the process that was to send them. An idle Kiln asks PostgreSQL nothing else.
 */
export function openWatch(
  {
    db,
    relay,
    dispatcher,
    webhooks,
    inspector,
    checker,
    attester,
    tagWatcher,
    log,
  }: { db: Database; webhooks: WebhookSender; log: Logger } & Record<
    'relay' | 'dispatcher' | 'inspector' | 'checker' | 'attester' | 'tagWatcher',
    Wakeable
  >,
  { sweep }: Sweeper,
): Watch {
  let sweptAt = -Infinity;
  let sweeping: Promise<void> | undefined;
  let looking: Promise<void> | undefined;
  let isFailing = false;

  const look = async (): Promise<void> => {
    const work = await readWorkAtHand(db);
    if (work.outbox) relay.wake();
    if (work.waiting) dispatcher.wake();
    if (work.events || work.deliveries) webhooks.wake(work.deliveries);
    if (work.inspections) inspector.wake();
    if (work.checks) checker.wake();
    if (work.attestations) attester.wake();
    if (work.tags) tagWatcher.wake();
    if (sweeping || performance.now() - sweptAt < sweepEveryMs) return;
    sweptAt = performance.now();
    // Not waited for: one that hangs must not keep the others from being woken.
    sweeping = sweep(work.underWay)
      .catch((error: unknown) => log.warn({ err: error }, 'sweep failed'))
      .finally(() => (sweeping = undefined));
  };
  const report = (failing: boolean, error?: unknown): void => {
    if (failing && !isFailing) log.warn({ err: error }, 'the watch cannot ask PostgreSQL what there is to do');
    isFailing = failing;
  };
  const timer = setInterval(() => {
    looking ??= look()
      .then(() => report(false))
      .catch((error: unknown) => report(true, error))
      .finally(() => (looking = undefined));
  }, lookEveryMs);
  return {
    async close() {
      clearInterval(timer);
      await looking;
      await sweeping;
    },
  };
}
