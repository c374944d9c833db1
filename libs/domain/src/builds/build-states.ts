/** States that a build can still leave. */
export const liveStates = ['queued', 'assigned', 'running', 'publishing', 'registering', 'cancelling'] as const;
/** States that never change once written. */
export const terminalStates = ['succeeded', 'cancelled', 'failed', 'timed_out', 'expired'] as const;
export const buildStates = [...liveStates, ...terminalStates] as const;
export type BuildState = (typeof buildStates)[number];
export type TerminalState = (typeof terminalStates)[number];

/** An attempt of a builder holds the build. */
export const attemptStates = ['assigned', 'running', 'publishing'] as const satisfies BuildState[];
/** A worker holds the build under a lease: its builder or a registrar. */
export const workerStates = [...attemptStates, 'registering', 'cancelling'] as const satisfies BuildState[];
/** The build takes a slot of its builder. */
export const occupyingStates = [...attemptStates, 'cancelling'] as const satisfies BuildState[];

export const isTerminal = (state: BuildState): state is TerminalState =>
  (terminalStates as readonly string[]).includes(state);

/** Every legal move. The database trigger of the first migration refuses all others; a test holds the two together. */
export const buildMoves: Record<BuildState, readonly BuildState[]> = {
  queued: ['assigned', 'cancelling', 'cancelled', 'failed', 'expired'],
  assigned: ['queued', 'running', 'cancelling', 'cancelled', 'failed', 'timed_out'],
  running: ['queued', 'publishing', 'cancelling', 'cancelled', 'failed', 'timed_out'],
  publishing: ['queued', 'registering', 'cancelling', 'cancelled', 'failed', 'timed_out'],
  registering: ['succeeded', 'cancelling', 'cancelled', 'failed', 'timed_out'],
  cancelling: ['cancelled'],
  succeeded: [],
  cancelled: [],
  failed: [],
  timed_out: [],
  expired: [],
};

/** What an attempt is doing, apart from its state; each phase has a start, an end and a result. */
export const buildPhases = ['validate', 'wait', 'prepare', 'build', 'push', 'verify', 'register', 'tag'] as const;
export type BuildPhase = (typeof buildPhases)[number];

/** How a step of a Dockerfile ended; `cached` when the layer of an earlier build was taken. */
export const stepResults = ['ok', 'cached', 'failed', 'stopped'] as const;
export type StepResult = (typeof stepResults)[number];

/** Which of an account's builds go first. Between accounts, fairness comes first. */
export const lanes = ['interactive', 'normal', 'bulk'] as const;
export type Lane = (typeof lanes)[number];

/**
 * How a build came from another: the same again after a fault of Kiln's or a clock, or a new one from the same request.
 */
export const lineages = ['retry', 'rerun'] as const;
export type Lineage = (typeof lineages)[number];

/** The one reason why a build waits. */
export const waitingReasons = [
  'NoBuilder',
  'BackOff',
  'AccountLimit',
  'SlotsBusy',
  'HeldForCache',
  'Starting',
] as const;
export type WaitingReason = (typeof waitingReasons)[number];
