import type { Logger } from '@kiln/kit';
import {
  type Build,
  cancelledError,
  type Database,
  requeueOrFail,
  moveBuild,
  type RetryPolicy,
} from '@kiln/persistence';
import { asFault, attemptStates, describeFault, errorClass, Fault } from '@kiln/domain';
import type { Attempt } from './attempt.ts';
import { StaleAttempt } from './stale-attempt.ts';

/** What is left of an attempt. */
export type Ended = 'handed over' | 'over';

/** Decides what an attempt that did not succeed comes to. Only trouble that is not the build's own is tried again. */
export async function finishFailedAttempt(
  { db, log, policy }: { db: Database; log: Logger; policy: RetryPolicy },
  attempt: Attempt,
  error: unknown,
): Promise<Ended> {
  const phase = attempt.phase();
  // What was read at the claim knows the phase of then.
  const build: Build = { ...attempt.build, phase };
  const { id: buildId, fence } = build;
  const finishCancel = () =>
    moveBuild(db, {
      id: buildId,
      fence,
      from: ['cancelling'],
      to: 'cancelled',
      message: 'stopped on request',
      set: { error: cancelledError(phase, build.attempt) },
    });
  if (await finishCancel()) {
    log.info({ buildId }, 'build cancelled');
    return 'over';
  }

  const stopped = attempt.lease.stopped();
  if (stopped === 'lost' || stopped === 'shutdown' || stopped === 'cancelled') {
    const drained = stopped === 'shutdown';
    const fault = drained
      ? new Fault('EngineFailed', `worker ${build.worker ?? '?'} was shut down`)
      : new Fault('LeaseLost', `worker ${build.worker ?? '?'} could not renew its lease`);
    const became = await requeueOrFail(db, build, drained ? 'drained' : 'lost', fault, policy);
    // Somebody asked to cancel between the first look and now.
    if (!became) await finishCancel();
    log.warn({ buildId, stopped, became }, became ? 'attempt given back' : 'build is no longer ours; dropped');
    return 'over';
  }
  if (error instanceof StaleAttempt) {
    log.warn({ buildId }, 'build is no longer ours; dropped');
    return 'over';
  }

  const fault = attempt.redaction.fault(toBuildFault(error));
  const infra = errorClass(fault.code) === 'infra';
  log.info({ buildId, code: fault.code, err: infra ? (fault.cause ?? fault.message) : undefined }, 'attempt failed');
  const moved = infra
    ? await requeueOrFail(db, build, 'infra', fault, policy)
    : await moveBuild(db, {
        id: buildId,
        fence,
        from: attemptStates,
        to: 'failed',
        message: fault.message,
        set: { error: describeFault(fault, phase, build.attempt) },
      });
  // Somebody asked to cancel between the first look and now.
  if (!moved) await finishCancel();
  return 'over';
}

/** What is not a Fault here is trouble of the builder's own, so the build is tried again elsewhere. */
const toBuildFault = (error: unknown): Fault => {
  const fault = asFault(error);
  return fault.code === 'InternalError'
    ? new Fault('EngineFailed', 'the builder met an internal error', {}, fault.cause)
    : fault;
};
