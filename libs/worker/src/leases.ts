import { type Logger, metrics, timings } from '@kiln/kit';
import type { HeldClaim, WorkerSession } from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';

/** Why an attempt has to stop. */
export type Stop = 'cancelled' | 'lost' | 'shutdown';

export interface Lease {
  /** Aborted as soon as the work may not go on. */
  readonly signal: AbortSignal;
  /** Why it was aborted; undefined while it was not. */
  stopped(): Stop | undefined;
  /**
   * Looks at the clock before something that cannot be undone.
   * @throws Error when the work may not go on
   */
  throwIfStopped(): void;
  /** Stops the work from this side. */
  stop(why: Stop): void;
  release(): void;
}

export interface Leases {
  /**
   * Keeps a claim's lease until it is released.
   * @param idleMs how long the claim's work has printed nothing; undefined while nothing is expected
   * @param claimedAtMs `performance.now()` before the claim was made: its lease began no earlier
   */
  hold(claim: HeldClaim, claimedAtMs: number, idleMs?: () => number | undefined): Lease;
  /** How many are held. */
  readonly size: number;
  /** Whether PostgreSQL has just been heard: a worker that it does not see must take nothing on. */
  isConnected(): boolean;
  /** Stops all, and those to come. */
  stopAll(why: Stop): void;
  close: () => void;
}

/** Told of each renewal, and at which `performance.now()` it was asked for. */
export type OnRenewed = (claims: readonly HeldClaim[], askedAtMs: number) => void;

const { renewEveryMs, connectedMs, giveUpMs } = timings;
const lookEveryMs = Math.min(500, renewEveryMs / 4);

interface Held {
  claim: HeldClaim;
  renewedAt: number;
  idleMs: (() => number | undefined) | undefined;
  stop: (why: Stop) => void;
}

/**
 * Keeps all leases of a worker with one statement, and stops work whose lease cannot be renewed, was taken away, or
 * that somebody asked to cancel. A signal only makes it look at once; PostgreSQL decides.
 */
export function openLeases(
  deps: { session: WorkerSession; signals: SignalBus; log: Logger },
  onRenewed: OnRenewed = () => undefined,
): Leases {
  const held = new Set<Held>();
  let busy = false;
  let wanted = false;
  let askedAt = performance.now();
  let heardAt = -Infinity;
  let stoppedAll: Stop | undefined;

  const renew = async (): Promise<void> => {
    // An answer that is on its way may be older than what made somebody ask again.
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      askedAt = performance.now();
      const asked = [...held];
      try {
        const renewed = await deps.session.renew(asked.map((it) => ({ ...it.claim, idleMs: it.idleMs?.() })));
        heardAt = askedAt;
        settle(asked, renewed, askedAt);
      } catch (error) {
        deps.log.warn({ err: error, held: asked.length }, 'could not renew the leases');
      }
    }
    busy = false;
  };
  const settle = (asked: Held[], renewed: Awaited<ReturnType<WorkerSession['renew']>>, at: number) => {
    const byId = new Map(renewed.map((it) => [`${it.id} ${it.fence}`, it]));
    const kept: HeldClaim[] = [];
    for (const it of asked) {
      const answer = byId.get(`${it.claim.id} ${it.claim.fence}`);
      if (!answer) it.stop('lost');
      // Somebody is writing to it at this moment; the next renewal will tell.
      else if (!answer.renewed) continue;
      else if (answer.cancelled) it.stop('cancelled');
      // The answer comes too late: its processes may have been killed meanwhile.
      else if (performance.now() - it.renewedAt > giveUpMs) it.stop('lost');
      else {
        it.renewedAt = at;
        kept.push(it.claim);
      }
    }
    onRenewed(kept, at);
  };
  const timer = setInterval(() => {
    const now = performance.now();
    // Looked at first: an answer may fail to come without failing.
    for (const it of held) if (now - it.renewedAt > giveUpMs) it.stop('lost');
    if (now - askedAt >= renewEveryMs) void renew();
  }, lookEveryMs);

  void renew();
  return {
    isConnected: () => performance.now() - heardAt < connectedMs,
    get size() {
      return held.size;
    },
    hold(claim, claimedAtMs, idleMs) {
      const controller = new AbortController();
      let why: Stop | undefined;
      const stop = (reason: Stop) => {
        if (reason === 'lost' && why === undefined) metrics.leasesLost.inc();
        why ??= reason;
        controller.abort(new Error(`stopped: ${why}`));
      };
      const it: Held = { claim, renewedAt: claimedAtMs, idleMs, stop };
      held.add(it);
      if (stoppedAll) stop(stoppedAll);
      const unlisten = deps.signals.on('cancel', claim.id, () => void renew());
      const stopped = () => {
        if (performance.now() - it.renewedAt > giveUpMs) stop('lost');
        return why;
      };
      return {
        signal: controller.signal,
        stopped,
        throwIfStopped() {
          if (stopped()) throw new Error(`stopped: ${why}`);
        },
        stop,
        release() {
          held.delete(it);
          unlisten();
        },
      };
    },
    stopAll(why) {
      stoppedAll = why;
      for (const it of held) it.stop(why);
    },
    close() {
      clearInterval(timer);
    },
  };
}
