import { type Build, cancelQueued, type Database, requestCancel } from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { Fault, isTerminal } from '@kiln/schemas';

/**
 * Asks for a build to end. One that waits ends at once; one that runs goes to `cancelling` and its worker, woken by a
 * signal, kills it. Asking again changes nothing.
 * @throws Fault BuildAlreadyFinished when it had ended otherwise, or its tag was already being set
 */
export async function cancelBuild(deps: { db: Database; signals: SignalBus }, build: Build): Promise<void> {
  if (await cancelQueued(deps.db, build.id)) return;
  if (await requestCancel(deps.db, build.id)) {
    deps.signals.send('cancel', build.id);
    return;
  }
  if (build.state === 'cancelled' || build.state === 'cancelling') return;
  const how = isTerminal(build.state)
    ? `build ${build.id} had finished: ${build.state}`
    : `build ${build.id} is already being published`;
  throw new Fault('BuildAlreadyFinished', how);
}
