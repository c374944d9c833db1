import { type Logger } from '@kiln/kit';
import { type Build, type Database, renewLease } from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';

/** Why an attempt has to stop. */
export type Stop = 'cancelled' | 'lost' | 'shutdown';

export interface Lease {
  /** Aborted as soon as the attempt may not go on. */
  signal: AbortSignal;
  /** Why it was aborted; undefined while it was not. */
  stopped(): Stop | undefined;
  /** Stops the attempt from this side. */
  stop(why: Stop): void;
  release(): void;
}

const renewEveryMs = 3000;
// Less than the lease's 15 s: the attempt has stopped before anyone may take its build again.
const giveUpAfterMs = 10_000;

/**
 * Keeps an attempt's lease and stops the attempt when the lease cannot be renewed, was taken away, or somebody asked to
 * cancel. A signal only makes it look at once; PostgreSQL decides.
 */
export function holdLease(deps: { db: Database; signals: SignalBus; log: Logger }, build: Build): Lease {
  const controller = new AbortController();
  let why: Stop | undefined;
  let renewedAt = performance.now();
  const stop = (reason: Stop) => {
    why ??= reason;
    controller.abort(new Error(`attempt stopped: ${why}`));
  };
  const renew = async () => {
    // Looked at first: an answer may fail to come without failing.
    if (performance.now() - renewedAt > giveUpAfterMs) return stop('lost');
    try {
      const held = await renewLease(deps.db, build.id, build.fence);
      if (!held) return stop('lost');
      renewedAt = performance.now();
      if (held.cancelled) stop('cancelled');
    } catch (error) {
      deps.log.warn({ err: error, buildId: build.id }, 'could not renew the lease');
    }
  };
  const timer = setInterval(() => void renew(), renewEveryMs);
  const unlisten = deps.signals.on('cancel', build.id, () => void renew());
  return {
    signal: controller.signal,
    stopped: () => why,
    stop,
    release() {
      clearInterval(timer);
      unlisten();
    },
  };
}
