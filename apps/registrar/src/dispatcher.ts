import { setTimeout as sleep } from 'node:timers/promises';
import { crashPoint, type Logger, type PollLoop, openPollLoop } from '@kiln/kit';
import { type Database, type DefaultLimits, dispatch } from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { everyone } from '@kiln/contract';
import type { Relay } from '@kiln/worker';

/**
 * Lets builds out of the pending queue as slots become free. Every registrar has one; whichever is first does the work,
 * and the others look again, since what woke them may have come after it looked.
 */
export function openDispatcher(
  { db, relay, signals, log }: { db: Database; relay: Relay; signals: SignalBus; log: Logger },
  defaults: Pick<DefaultLimits, 'runningMax'>,
): PollLoop {
  const pass = async (): Promise<number> => {
    for (let look = 0; look < 3; look += 1) {
      const admitted = await dispatch(db, defaults);
      if (admitted !== undefined) {
        if (admitted > 0) {
          crashPoint('dispatch-committed');
          relay.wake();
          signals.send('admitted', everyone);
        }
        return admitted;
      }
      await sleep(10);
    }
    return 0;
  };
  const loop = openPollLoop('dispatcher', pass, log);
  const unlisten = signals.on('dispatch', everyone, () => loop.wake());
  return {
    wake: () => loop.wake(),
    close: async () => {
      unlisten();
      await loop.close();
    },
  };
}
