import { type Logger, openPollLoop, type PollLoop } from '@kiln/kit';
import { advanceRetiring, checkDueImages, type Database } from '@kiln/persistence';

/** Holds images that have been read against the policies of their workspaces, and takes those out whose time is over. */
export const openChecker = ({ db, log }: { db: Database; log: Logger }): PollLoop =>
  openPollLoop(
    'holding images against policies',
    async () => (await checkDueImages(db)) + (await advanceRetiring(db)),
    log,
  );
