import type { ErrorClass } from '@kiln/domain';

/** What the command's end says to scripts. */
export const exitCodes = {
  done: 0,
  /** The build failed by what is in it. */
  failed: 1,
  /** The command was not understood, or something that it names is not there. */
  usage: 2,
  /** A policy or a verification refused it. */
  refused: 3,
  /** Kiln, the network or a registry was at fault: another try may succeed. */
  infrastructure: 4,
  cancelled: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command with a message, and maybe what to do about it. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(message: string, exitCode: ExitCode = exitCodes.usage, hint?: string) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** How the command ends after a build that failed. */
export const exitOf = (cls: ErrorClass | undefined): ExitCode =>
  cls === 'policy'
    ? exitCodes.refused
    : cls === 'infra' || cls === 'upstream'
      ? exitCodes.infrastructure
      : exitCodes.failed;
