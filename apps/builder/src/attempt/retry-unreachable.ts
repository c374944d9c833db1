import { backoffMs, retry, timings } from '@kiln/kit';
import { asFault, type ErrorCode } from '@kiln/domain';

/** What another try may mend. */
const passing: readonly ErrorCode[] = ['RegistryUnreachable', 'PushFailed', 'SourceUnreachable'];
const isTimeout = (cause: unknown): boolean => cause instanceof DOMException && cause.name === 'TimeoutError';
const tries = 6;
const { registryPauseMs, registryPauseMaxMs } = timings;

/**
 * Tries again while a registry or a source of files cannot be reached: one that is restarted must fail no build.
 * @param log writes a line to the build's log before each pause
 * @throws what the last try threw; an AbortError when the signal is aborted during a pause
 */
export const retryUnreachable = <T>(
  work: () => Promise<T>,
  { signal, log }: { signal: AbortSignal; log: (line: string) => Promise<void> },
): Promise<T> =>
  retry(work, {
    tries,
    signal,
    // What has had its time would take it once more.
    isPassing: (error) => passing.includes(asFault(error).code) && !isTimeout(asFault(error).cause),
    pauseMs: (tried, error) =>
      Math.max(
        backoffMs(tried, registryPauseMs, registryPauseMaxMs),
        Math.min(asFault(error).details.retryAfterMs ?? 0, registryPauseMaxMs),
      ),
    onPause: (tried, ms, error) =>
      log(`kiln: ${asFault(error).message}; try ${tried + 1} of ${tries} in ${(ms / 1000).toFixed(1)} s`),
  });
