import { Fault } from '@kiln/domain';
import { backoffMs, retry, retryAfterMs } from '@kiln/kit';
import type { Ask } from './authorization.ts';
import { answered, explain, isPassing, PassingTrouble, refusalBytesMax } from './registry-errors.ts';
import type { RegistryHttp } from './registry-http.ts';

/** A registry that asks to be left alone for longer than this is asked again by whoever wants it, later. */
const retryAfterMaxMs = 10_000;

/** What is no trouble of the network or the registry stays as it is. */
const isPassingTrouble = (error: unknown): boolean => !(error instanceof Fault) && explain(error) !== undefined;
const askedMs = (error: unknown): number => (error instanceof PassingTrouble ? error.retryAfterMs : 0);

/** Turns refusals that another try may change into PassingTrouble, with the registry's own words. */
export const refusePassing =
  (ask: Ask, http: RegistryHttp): Ask =>
  async (request, scope) => {
    const answer = await ask(request, scope);
    const { method, path } = request;
    // A link to where blobs are kept may have run out; the registry gives another one.
    const isStaleLink = answer.elsewhere && answer.status === 403 && method === 'GET';
    // To say that it does not know a method is an answer; every registry knows GET.
    const isUnknownMethod = answer.status === 501 && method !== 'GET';
    if ((!isPassing(answer.status) || isUnknownMethod) && !isStaleLink) return answer;
    const asked = `${method} ${path.split('?')[0] ?? ''}`;
    const words = await http.read(answer, path, refusalBytesMax).catch(() => undefined);
    throw new PassingTrouble(
      `it ${answered(answer.status, asked, words?.body)}`,
      retryAfterMs(answer.headers['retry-after']),
    );
  };

/**
 * Runs `work` again while its trouble may pass, after as long as the registry asks.
 * @throws Fault RegistryUnreachable when trouble is all that came
 */
export async function retryPassing<T>(
  host: string,
  work: () => Promise<T>,
  { signal, tries }: { signal: AbortSignal | undefined; tries: number },
): Promise<T> {
  try {
    return await retry(work, {
      tries,
      signal,
      isPassing: (error) => isPassingTrouble(error) && askedMs(error) <= retryAfterMaxMs,
      pauseMs: (tried, error) => Math.max(askedMs(error), backoffMs(tried, 200, 2000)),
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (!isPassingTrouble(error)) throw error;
    throw unreachable(host, explain(error) ?? '', askedMs(error), error);
  }
}

function unreachable(host: string, why: string, askedMs: number, cause: unknown): Fault {
  const until = askedMs > 0 ? `; it asks to be left alone for ${Math.ceil(askedMs / 1000)} s` : '';
  const details = askedMs > 0 ? { retryAfterMs: askedMs } : {};
  return new Fault('RegistryUnreachable', `registry ${host} cannot be asked: ${why}${until}`, details, cause);
}
