import { openPollLoop, type PollLoop } from '@kiln/kit';
import { claimInspection } from '@kiln/persistence';
import { type InspectDeps, inspectImage } from './inspect-image.ts';

/** Reads images that wait for it, one at a time: registrations come first, and use little of a machine. */
export const openInspector = (deps: InspectDeps): PollLoop =>
  openPollLoop(
    'reading images',
    async () => {
      const claim = await claimInspection(deps.db);
      if (!claim) return 0;
      await inspectImage(deps, claim);
      return 1;
    },
    deps.log,
  );
