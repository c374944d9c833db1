import { type Logger, openPollLoop, type PollLoop } from '@kiln/kit';
import { checkDueImages, type Database } from '@kiln/persistence';

/** Holds images that have been read against the policies of their workspaces. */
export const openChecker = ({ db, log }: { db: Database; log: Logger }): PollLoop =>
  openPollLoop('holding images against policies', () => checkDueImages(db), log);
