import { type Logger } from '@kiln/kit';
import {
  attemptStates,
  type Build,
  cancelledError,
  type Database,
  endInterrupted,
  moveBuild,
  type RetryPolicy,
} from '@kiln/persistence';
import { asFault, type BuildPhase, describeFault, errorClass, Fault } from '@kiln/schemas';
import { type Lease } from '@kiln/services';
import { type Redaction } from './redaction.ts';

/** Stops the attempt: its build is no longer where it has to be. */
export class NotOurs extends Error {}

/** Decides what an attempt that did not succeed comes to. Only trouble that is not the build's own is tried again. */
export async function settleAttempt(
  { db, log, policy }: { db: Database; log: Logger; policy: RetryPolicy },
  build: Build,
  lease: Lease,
  ended: { phase: BuildPhase; redaction: Redaction; error: unknown },
): Promise<void> {
  const { phase, redaction, error } = ended;
  const { id: buildId, fence } = build;
  // What was read at the claim knows the phase of then.
  const attempt = { ...build, phase };
  const finishCancel = () =>
    moveBuild(db, {
      id: buildId,
      fence,
      from: ['cancelling'],
      to: 'cancelled',
      message: 'stopped on request',
      set: { error: cancelledError(phase, build.attempt) },
    });
  if (await finishCancel()) return log.info({ buildId }, 'build cancelled');

  const stopped = lease.stopped();
  if (stopped === 'lost' || stopped === 'shutdown' || stopped === 'cancelled') {
    const drained = stopped === 'shutdown';
    const fault = drained
      ? new Fault('EngineFailed', `worker ${build.worker ?? '?'} was shut down`)
      : new Fault('LeaseLost', `worker ${build.worker ?? '?'} could not renew its lease`);
    const became = await endInterrupted(db, attempt, drained ? 'drained' : 'lost', fault, policy);
    return log.warn({ buildId, stopped, became }, became ? 'attempt given back' : 'build is no longer ours; dropped');
  }
  if (error instanceof NotOurs) return log.warn({ buildId }, 'build is no longer ours; dropped');

  const fault = redaction.fault(toBuildFault(error));
  const infra = errorClass(fault.code) === 'infra';
  log.info({ buildId, code: fault.code, err: infra ? (fault.cause ?? fault.message) : undefined }, 'attempt failed');
  const moved = infra
    ? await endInterrupted(db, attempt, 'infra', fault, policy)
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
}

/** What is not a Fault here is trouble of the builder's own, so the build is tried again elsewhere. */
const toBuildFault = (error: unknown): Fault => {
  const fault = asFault(error);
  return fault.code === 'InternalError'
    ? new Fault('EngineFailed', 'the builder met an internal error', {}, fault.cause)
    : fault;
};
