import { openPollLoop, type PollLoop } from '@kiln/kit';
import { checkDueImages, claimInspection } from '@kiln/persistence';
import { type InspectDeps, inspectImage } from './inspect-image.ts';

/**
 * Reads images that wait for it, one at a time, since registrations come first and use little of a machine; and holds what
 * has been read against the policies of its workspaces.
 */
export function openInspector(deps: InspectDeps): PollLoop {
  const closing = new AbortController();
  const loop = openPollLoop(
    'reading images',
    async () => {
      const checked = await checkDueImages(deps.db);
      const claim = closing.signal.aborted ? undefined : await claimInspection(deps.db);
      if (!claim) return checked;
      await inspectImage(deps, claim, closing.signal);
      return 1 + checked;
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
