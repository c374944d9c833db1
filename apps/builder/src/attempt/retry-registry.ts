import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, timings } from '@kiln/kit';
import { asFault, type ErrorCode } from '@kiln/domain';

/** What another try may mend. */
const passing: readonly ErrorCode[] = ['RegistryUnreachable', 'PushFailed'];
const triesMax = 6;
const { registryPauseMs, registryPauseMaxMs } = timings;

/**
 * Tries again while a registry cannot be reached: a registry that is restarted must not cost anyone a build.
 * @param say tells the build's reader why nothing happens
 * @throws what the last try threw; the signal's reason when it was aborted meanwhile
 */
export async function withRegistryPatience<T>(
  work: () => Promise<T>,
  { signal, say }: { signal: AbortSignal; say: (line: string) => Promise<void> },
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await work();
    } catch (error) {
      const fault = asFault(error);
      if (signal.aborted || tried === triesMax || !passing.includes(fault.code)) throw error;
      const waitMs = Math.max(
        backoffMs(tried, registryPauseMs, registryPauseMaxMs),
        Math.min(fault.details.retryAfterMs ?? 0, registryPauseMaxMs),
      );
      await say(`kiln: ${fault.message}; try ${tried + 1} of ${triesMax} in ${(waitMs / 1000).toFixed(1)} s`);
      await sleep(waitMs, undefined, { signal });
    }
  }
}
