import { type Build, cancelQueued, type Database, loadBuild, requestCancel, type Viewer } from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { Fault, isTerminal } from '@kiln/domain';
import { requireOwner } from '@kiln/usecases';

// A build may go back to the queue between the two looks; it does so three times in its life at most.
const looks = 4;

/**
 * Asks for a build to end. One that waits ends at once; one that runs goes to `cancelling` and its worker, woken by a
 * signal, kills it. Asking again changes nothing.
 * @throws Fault Forbidden when the build is somebody else's; BuildAlreadyFinished when it had ended otherwise, or its
 * tag was already being set
 */
export async function cancelBuild(
  deps: { db: Database; signals: SignalBus },
  viewer: Viewer,
  asked: Build,
): Promise<void> {
  const { id } = asked;
  requireOwner(viewer, asked, `build ${id}`, 'operator');
  let build: Build | undefined;
  for (let look = 0; look < looks; look += 1) {
    if (await cancelQueued(deps.db, id)) return deps.signals.send('progress', id);
    if (await requestCancel(deps.db, id)) return deps.signals.send('cancel', id);
    build = await loadBuild(deps.db, id);
    if (build?.state === 'cancelled' || build?.state === 'cancelling') return;
    if (build?.state !== 'queued') break;
  }
  const ended = build && isTerminal(build.state);
  throw new Fault(
    'BuildAlreadyFinished',
    ended ? `build ${id} had finished: ${build?.state}` : `build ${id} is already being published`,
  );
}
