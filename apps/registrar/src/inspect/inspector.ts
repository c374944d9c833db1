import { openPollLoop, type PollLoop } from '@kiln/kit';
import { claimInspection } from '@kiln/persistence';
import { type InspectDeps, inspectImage } from './inspect-image.ts';

/** Reads images that wait for it, one at a time: registrations come first, and use little of a machine. */
export function openInspector(deps: InspectDeps): PollLoop {
  const closing = new AbortController();
  const loop = openPollLoop(
    'reading images',
    async () => {
      const claim = closing.signal.aborted ? undefined : await claimInspection(deps.db);
      if (!claim) return 0;
      await inspectImage(deps, claim, closing.signal);
      return 1;
    },
    deps.log,
  );
  return {
    wake: () => loop.wake(),
    close() {
      closing.abort();
      return loop.close();
    },
  };
}
