import type { ErrorCode } from '../error-codes.ts';

/** One kind of failure, and how it is told: all that is given has to hold. */
export interface Rule {
  name: string;
  codes?: readonly ErrorCode[];
  /** The instruction that failed. */
  keyword?: string;
  exitCode?: number;
  /** What the instruction has in it. */
  step?: RegExp;
  /** What a line of the step's last ones says, or else the error itself. */
  says?: RegExp;
  /** With `$1` to `$3` for what the pattern's groups found. */
  cause: string;
  suggestion: string;
}
