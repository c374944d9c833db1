import { type Logger, openPollLoop, type PollLoop } from '@kiln/kit';
import { advanceRetiring, checkDueImages, checksAtOnce, type Database } from '@kiln/persistence';

/** Holds images that have been read against the policies of their workspaces, and takes those out whose time is over. */
export const openChecker = ({ db, log }: { db: Database; log: Logger }): PollLoop =>
  openPollLoop(
    'holding images against policies',
    async () => {
      const checked = await checkDueImages(db);
      // Of some workspaces at a time: there may be others.
      return (await advanceRetiring(db)) > 0 ? checksAtOnce : checked;
    },
    log,
    checksAtOnce,
  );
