import type { ErrorCode } from './error-codes.ts';

/** Extra facts about a failed build step, for people who have to mend the Dockerfile. */
export interface FaultDetails {
  /** Dotted name of the offending request field, as the client wrote it, e.g. `Image.Name`. */
  field?: string;
  /** Dockerfile instruction, as the engine reported it. */
  step?: string;
  /** First and last Dockerfile line of the step, counted from 1. */
  lines?: [number, number];
  /** Exit code of the command that failed. */
  exitCode?: number;
  /** The last lines that the step printed. */
  logTail?: string[];
  /** What to do about it. */
  hint?: string;
  /** The server's canonical request, shown only to the owner of the key that signed. */
  canonicalRequest?: string;
  /** Milliseconds after which the same request may succeed. */
  retryAfterMs?: number;
}

/**
 * The one error type that crosses rooms. `code` decides status, class and retry through the code table;
 * `message` is safe to show to the caller; `cause` is for the log only.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: ErrorCode;
  readonly details: FaultDetails;

  constructor(code: ErrorCode, message: string, details: FaultDetails = {}, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }
}

/** The fault of a request's field, which its message names first. */
export const fieldFault = (code: ErrorCode, field: string, why: string, details: FaultDetails = {}): Fault =>
  new Fault(code, `${field}: ${why}`, { field, ...details });

/** Turns anything thrown into a Fault; what is not one already becomes `InternalError` with the original as cause. */
export const asFault = (error: unknown): Fault =>
  error instanceof Fault ? error : new Fault('InternalError', 'an internal error occurred', {}, error);
