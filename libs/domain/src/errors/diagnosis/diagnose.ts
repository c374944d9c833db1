import type { Rule } from './rule.ts';
import { rules } from './rules.ts';

/** What is known of a failure. */
export interface Failure {
  code: string;
  message: string;
  step?: string | undefined;
  exitCode?: number | undefined;
  logTail?: string[] | undefined;
}

export interface Diagnosis {
  /** Name of the rule that fits. */
  reason: string;
  /** What happened, in a sentence. */
  cause: string;
  /** What to do about it. */
  suggestion: string;
  /** The lines of the log that say so; none where the error itself does. */
  excerpt: string[];
}

/** More of a line is not looked at: what a tenant's programs print must not keep a builder busy. */
const lookedAt = 1000;
const before = 2;
const after = 1;

/** `$1` to `$3` stand for what a pattern's groups found; of alternatives, the first that found something is `$1`. */
function fill(text: string, found: RegExpExecArray | undefined): string {
  const parts = (found ?? []).slice(1).filter((it) => it !== undefined);
  return text.replace(/\$([123])/g, (_, n: string) => parts[Number(n) - 1] ?? 'it');
}

function fit(rule: Rule, failure: Failure): Diagnosis | undefined {
  const { codes, keyword, exitCode, step, says } = rule;
  if (codes && !codes.includes(failure.code as (typeof codes)[number])) return undefined;
  if (keyword !== undefined && !failure.step?.toUpperCase().startsWith(`${keyword} `)) return undefined;
  if (exitCode !== undefined && failure.exitCode !== exitCode) return undefined;
  if (step && !step.test(failure.step ?? '')) return undefined;
  const diagnosis = (found?: RegExpExecArray, excerpt: string[] = []): Diagnosis => ({
    reason: rule.name,
    cause: fill(rule.cause, found),
    suggestion: fill(rule.suggestion, found),
    excerpt,
  });
  if (!says) return diagnosis();
  // What was said last is the most likely to be the cause.
  const lines = failure.logTail ?? [];
  for (let n = lines.length - 1; n >= 0; n -= 1) {
    const found = says.exec((lines[n] ?? '').slice(0, lookedAt));
    if (found) return diagnosis(found, lines.slice(Math.max(0, n - before), n + 1 + after));
  }
  const found = says.exec(failure.message.slice(0, lookedAt));
  return found ? diagnosis(found) : undefined;
}

/** The first rule that fits a failure, in the order of the table. */
export function diagnose(failure: Failure): Diagnosis | undefined {
  for (const rule of rules) {
    const found = fit(rule, failure);
    if (found) return found;
  }
  return undefined;
}
