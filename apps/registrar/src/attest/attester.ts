import { openPollLoop, type PollLoop } from '@kiln/kit';
import { claimAttestation } from '@kiln/persistence';
import { attestImage, type AttestDeps } from './attest-image.ts';

/** Attaches documents to images that wait for it, one image at a time. */
export const openAttester = (deps: AttestDeps): PollLoop =>
  openPollLoop(
    'attaching documents',
    async () => {
      const claim = await claimAttestation(deps.db);
      if (!claim) return 0;
      await attestImage(deps, claim);
      return 1;
    },
    deps.log,
  );
